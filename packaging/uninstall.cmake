# SPDX-License-Identifier: LGPL-2.1-or-later
#
# uninstall.cmake - take away what "cmake --install" has put there, by its own list
#
#   cmake -DBUILD=dir -P packaging/uninstall.cmake
#
# DESTDIR counts as it does for the installation. Folders go if they are ours and empty. The
# configuration goes unless somebody has changed it.
set(manifest ${BUILD}/install_manifest.txt)
if(NOT EXISTS ${manifest})
  message(FATAL_ERROR "${manifest} is missing: nothing was installed from this build")
endif()
file(STRINGS ${manifest} files)
foreach(file IN LISTS files)
  set(path "$ENV{DESTDIR}${file}")
  if(file MATCHES "/virtksmd\\.conf$" AND EXISTS "${path}")
    file(SHA256 "${path}" is)
    file(SHA256 ${BUILD}/packaging/config/virtksmd.conf was)
    if(NOT is STREQUAL was)
      message(STATUS "Changed, left: ${path}")
      continue()
    endif()
  endif()
  if(EXISTS "${path}" OR IS_SYMLINK "${path}")
    message(STATUS "Removing: ${path}")
    file(REMOVE "${path}")
  endif()
  if(file MATCHES "/virtksmd\\.conf$")
    file(GLOB own "${path}.d/*")
    if(NOT own)
      file(REMOVE_RECURSE "${path}.d")
    endif()
  endif()
  get_filename_component(folder "${path}" DIRECTORY)
  while(folder MATCHES "/virtksm(/|$)")
    file(GLOB left "${folder}/*")
    if(left)
      break()
    endif()
    file(REMOVE_RECURSE "${folder}")
    get_filename_component(folder "${folder}" DIRECTORY)
  endwhile()
endforeach()
file(REMOVE ${manifest})
