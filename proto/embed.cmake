# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cmake -DSET=descriptors.bin -DTEMPLATE=descriptors.c.in -DOUT=descriptors.c -P embed.cmake
#
# Writes the bytes of a file into a C file.
file(READ ${SET} BYTES HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," BYTES "${BYTES}")
configure_file(${TEMPLATE} ${OUT} @ONLY)
