# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of the gRPC library in proto/, and the echo service they call.
proto_generate(echo_sources ROOT ${CMAKE_CURRENT_LIST_DIR}/../support
               OUT ${CMAKE_BINARY_DIR}/test/support FILES echo.proto)
set_source_files_properties(${echo_sources} PROPERTIES COMPILE_OPTIONS -w)
add_library(test_echo STATIC ${echo_sources} ${CMAKE_CURRENT_LIST_DIR}/../support/echo_server.c
            ${CMAKE_CURRENT_LIST_DIR}/../support/h2_peer.c)
target_link_libraries(test_echo PUBLIC proto PkgConfig::NGHTTP2)

foreach(module call call_ops client frame limits request server server_end session session_io
               socket status stream timeout turn unpack)
  virtksm_test(NAME grpc_${module} SOURCES ${CMAKE_CURRENT_LIST_DIR}/grpc_${module}_test.c
               LIBS test_echo)
endforeach()
virtksm_test(NAME grpc_socket_race SOURCES ${CMAKE_CURRENT_LIST_DIR}/grpc_socket_race_test.c
             LIBS test_echo WRAP unlink bind chmod listen)
virtksm_test(NAME grpc_user SOURCES ${CMAKE_CURRENT_LIST_DIR}/grpc_user_test.c LIBS test_echo
             WRAP grpc_socket_peer)
