# SPDX-License-Identifier: LGPL-2.1-or-later
#
# feature.cmake - what the programs can do without
#
# VIRTKSM_NAME is AUTO (taken if the library is there), ON (required) or OFF. What comes of it is
# HAVE_NAME, 1 or 0, and for the code the same in agent/config.h.

# virtksm_feature(NAME MODULE HELP) - a switch; MODULE as for pkg-config, with its least version
macro(virtksm_feature name module help)
  set(VIRTKSM_${name} AUTO CACHE STRING "${help}: AUTO, ON or OFF (${module})")
  set_property(CACHE VIRTKSM_${name} PROPERTY STRINGS AUTO ON OFF)
  list(APPEND VIRTKSM_FEATURES ${name})
  set(VIRTKSM_${name}_MODULE "${module}")
endmacro()

# virtksm_find_features() - look for the libraries, say what there is, set HAVE_NAME
macro(virtksm_find_features)
  foreach(feature IN LISTS VIRTKSM_FEATURES)
    set(HAVE_${feature} 0)
    if(VIRTKSM_${feature} STREQUAL "AUTO")
      pkg_check_modules(${feature} IMPORTED_TARGET "${VIRTKSM_${feature}_MODULE}")
    elseif(VIRTKSM_${feature})
      pkg_check_modules(${feature} REQUIRED IMPORTED_TARGET "${VIRTKSM_${feature}_MODULE}")
    endif()
    if(VIRTKSM_${feature} AND ${feature}_FOUND)
      set(HAVE_${feature} 1)
    endif()
    message(STATUS "VIRTKSM_${feature}=${VIRTKSM_${feature}}: ${HAVE_${feature}}")
  endforeach()
endmacro()
