# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything that is linked after this tells the thread sanitizer what GLib keeps in order.
add_library(tsan STATIC ${CMAKE_CURRENT_LIST_DIR}/tsan.c)
target_link_libraries(tsan PRIVATE PkgConfig::GLIB)
foreach(function idle_add_full async_queue_push async_queue_pop mutex_lock mutex_unlock cond_wait
        cond_wait_until)
  add_link_options(-Wl,--wrap=g_${function})
endforeach()
# Also where only a library that is linked calls one of them.
add_link_options(-Wl,--undefined=__wrap_g_mutex_lock)
link_libraries(tsan)
