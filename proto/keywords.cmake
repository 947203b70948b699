# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cmake -DSTEM=throttler.pb-c -P keywords.cmake
#
# protoc-c names a member after each method, in lower case: Register becomes a keyword of C. Nobody
# uses these members, but they have to compile.
foreach(file ${STEM}.h ${STEM}.c)
  file(READ ${file} before)
  string(REGEX REPLACE "([*>])register([)(])" "\\1register_\\2" after "${before}")
  if(NOT after STREQUAL before)
    file(WRITE ${file} "${after}")
  endif()
endforeach()
