# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of the client in agent/cli/: its pieces, and the real program on a daemon that is told what
# to say.
proto_generate(cli_fields_sources ROOT ${CMAKE_CURRENT_LIST_DIR}/../support
               OUT ${CMAKE_CURRENT_BINARY_DIR}/cli_fields FILES cli_fields.proto)
set_source_files_properties(${cli_fields_sources} PROPERTIES COMPILE_OPTIONS -w)
add_library(test_cli_fields STATIC ${cli_fields_sources})
target_include_directories(test_cli_fields SYSTEM PUBLIC ${CMAKE_CURRENT_BINARY_DIR}/cli_fields)
target_link_libraries(test_cli_fields PUBLIC PkgConfig::PROTOBUF_C)

foreach(module csv field html_parts html_text json options simulate_moves table
        text top_feed top_list when)
  virtksm_test(NAME cli_${module} SOURCES ${CMAKE_CURRENT_LIST_DIR}/cli_${module}_test.c
               LIBS agent_cli test_cli_fields)
endforeach()

foreach(command call commands doctor events explain history report working_set)
  virtksm_test(NAME cli_${command} LIBS agent_cli proto PkgConfig::JSON_GLIB
               SOURCES ${CMAKE_CURRENT_LIST_DIR}/cli_${command}_test.c
               ${CMAKE_CURRENT_LIST_DIR}/../support/fakedaemon.c
               ${CMAKE_CURRENT_LIST_DIR}/../support/child.c)
  add_dependencies(test_cli_${command} virtksm)
endforeach()
