/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reflection_test.c - what is served can be found out without any .proto file */
#include "agent/rpc/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/google/protobuf/descriptor.pb-c.h"
#include "proto/grpc/reflection/v1/reflection.pb-c.h"
#include "test/support/fakerpc.h"

#define ON_RPC(test) cmocka_unit_test_setup_teardown(test, fakerpc_setup, fakerpc_teardown)
#define V1           "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define V1ALPHA      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

typedef Google__Protobuf__FileDescriptorSet FileSet;
typedef Grpc__Reflection__V1__ServerReflectionRequest Question;
typedef Grpc__Reflection__V1__ServerReflectionResponse Answer;

#define ASK(word)    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##word
#define ANSWER(word) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##word

/* The linker's words: how often all files were unpacked. */

static unsigned unpacked;

FileSet *__real_google__protobuf__file_descriptor_set__unpack(ProtobufCAllocator *allocator,
                                                              size_t length, const uint8_t *data);
FileSet *__wrap_google__protobuf__file_descriptor_set__unpack(ProtobufCAllocator *allocator,
                                                              size_t length, const uint8_t *data);

FileSet *
__wrap_google__protobuf__file_descriptor_set__unpack(ProtobufCAllocator *allocator, size_t length,
                                                     const uint8_t *data)
{
    unpacked++;
    return __real_google__protobuf__file_descriptor_set__unpack(allocator, length, data);
}

static FakeStream *
open_stream(FakeRpc *rpc, const char *path)
{
    return fakerpc_stream(rpc->client, path,
                          &grpc__reflection__v1__server_reflection_response__descriptor);
}

static Answer *
ask(FakeStream *stream, unsigned what, const char *word)
{
    g_autofree char *text = g_strdup(word);
    g_autofree char *host = g_strdup("a-host");
    Question question;
    Answer *answer;

    grpc__reflection__v1__server_reflection_request__init(&question);
    question.host = host;
    question.message_request_case = what;
    question.file_by_filename = text; /* any text of the union */
    assert_true(grpc_client_call_send(stream->call, &question.base));
    answer = (Answer *)fakerpc_next(stream);
    if (!answer) {
        fail_msg("no answer to %u %s: %s", what, word, stream->text);
        return NULL;
    }
    assert_string_equal(answer->valid_host, "a-host");
    assert_int_equal(answer->original_request->message_request_case, what);
    if (what != ASK(_NOT_SET))
        assert_string_equal(answer->original_request->file_by_filename, word);
    return answer;
}

static void
answer_free(Answer *answer)
{
    grpc__reflection__v1__server_reflection_response__free_unpacked(answer, NULL);
}

static void
every_service_with_methods_is_listed_once(void **state)
{
    static const char *const paths[] = { V1, V1ALPHA };
    size_t n_methods;
    const GrpcMethod *methods = method_list(&n_methods);

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(FakeStream) stream = open_stream(*state, paths[i]);
        Answer *answer = ask(stream, ASK(LIST_SERVICES), "*");
        g_autoptr(GHashTable) listed = g_hash_table_new(g_str_hash, g_str_equal);

        assert_int_equal(answer->message_response_case, ANSWER(LIST_SERVICES_RESPONSE));
        for (size_t j = 0; j < answer->list_services_response->n_service; j++) {
            char *name = answer->list_services_response->service[j]->name;

            assert_true(g_hash_table_add(listed, name));
            if (!method_has_service(name))
                fail_msg("%s has no methods", name);
        }
        for (size_t j = 0; j < n_methods; j++) {
            g_autofree char *service = g_path_get_dirname(methods[j].path + 1);

            if (!g_hash_table_contains(listed, service))
                fail_msg("%s is not listed", service);
        }
        answer_free(answer);
    }
}

/* The names of the files in an answer, each after a blank. */
static char *
file_names(const Answer *answer)
{
    GString *names = g_string_new(NULL);

    assert_int_equal(answer->message_response_case, ANSWER(FILE_DESCRIPTOR_RESPONSE));
    for (size_t i = 0; i < answer->file_descriptor_response->n_file_descriptor_proto; i++) {
        const ProtobufCBinaryData *bytes =
            &answer->file_descriptor_response->file_descriptor_proto[i];
        Google__Protobuf__FileDescriptorProto *file =
            google__protobuf__file_descriptor_proto__unpack(NULL, bytes->len, bytes->data);

        assert_non_null(file);
        g_string_append_printf(names, " %s", file->name);
        google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
    }
    return g_string_free(names, FALSE);
}

static void
a_symbol_or_a_name_leads_to_its_file_and_what_that_imports(void **state)
{
    static const struct {
        unsigned what;
        const char *word;
        const char *files; /* "": none */
    } rows[] = {
        { ASK(FILE_CONTAINING_SYMBOL), "virtksm.v1.Agent", " virtksm.proto trace.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "virtksm.v1.Agent.Watch", " virtksm.proto trace.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "virtksm.v1.HostReport", " virtksm.proto trace.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "KSMThrottler",
          " throttler.proto google/protobuf/empty.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "KSMThrottler.Events",
          " throttler.proto google/protobuf/empty.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "EventType",
          " throttler.proto google/protobuf/empty.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "ksm.KSMThrottler.Kick",
          " ksm.proto google/protobuf/empty.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "google.protobuf.Empty", " google/protobuf/empty.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "grpc.health.v1.HealthCheckResponse.ServingStatus",
          " grpc/health/v1/health.proto" },
        { ASK(FILE_BY_FILENAME), "ksm.proto", " ksm.proto google/protobuf/empty.proto" },
        { ASK(FILE_BY_FILENAME), "grpc/reflection/v1/reflection.proto",
          " grpc/reflection/v1/reflection.proto" },
        { ASK(FILE_CONTAINING_SYMBOL), "", "" },
        { ASK(FILE_CONTAINING_SYMBOL), ".", "" },
        { ASK(FILE_CONTAINING_SYMBOL), "virtksm.v1", "" },
        { ASK(FILE_CONTAINING_SYMBOL), "virtksm.v1.", "" },
        { ASK(FILE_CONTAINING_SYMBOL), "virtksm.v1.Agen", "" },
        { ASK(FILE_CONTAINING_SYMBOL), "virtksm.v1.Agent.Nothing", "" },
        { ASK(FILE_CONTAINING_SYMBOL), "virtksm.v1.Agent.Watch.More", "" },
        { ASK(FILE_CONTAINING_SYMBOL), "Agent", "" },
        { ASK(FILE_BY_FILENAME), "", "" },
        { ASK(FILE_BY_FILENAME), "/etc/passwd", "" },
        { ASK(FILE_BY_FILENAME), "../ksm.proto", "" },
    };
    g_autoptr(FakeStream) stream = open_stream(*state, V1);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Answer *answer = ask(stream, rows[i].what, rows[i].word);

        if (*rows[i].files) {
            g_autofree char *files = file_names(answer);

            if (strcmp(files, rows[i].files) != 0)
                fail_msg("%s: %s", rows[i].word, files);
        } else {
            if (answer->message_response_case != ANSWER(ERROR_RESPONSE))
                fail_msg("%s was found", rows[i].word);
            assert_int_equal(answer->error_response->error_code, GRPC_STATUS_NOT_FOUND);
        }
        answer_free(answer);
    }
    grpc_client_call_half_close(stream->call);
    assert_int_equal(fakerpc_wait_end(stream), GRPC_STATUS_OK);
}

static void
there_are_no_extensions(void **state)
{
    static const struct {
        unsigned what;
        const char *word;
        unsigned answer;
    } rows[] = {
        { ASK(ALL_EXTENSION_NUMBERS_OF_TYPE), "virtksm.v1.HostReport",
          ANSWER(ALL_EXTENSION_NUMBERS_RESPONSE) },
        { ASK(ALL_EXTENSION_NUMBERS_OF_TYPE), "no.Such", ANSWER(ERROR_RESPONSE) },
        { ASK(_NOT_SET), "", ANSWER(ERROR_RESPONSE) },
    };
    g_autoptr(FakeStream) stream = open_stream(*state, V1);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Answer *answer = ask(stream, rows[i].what, rows[i].word);

        assert_int_equal(answer->message_response_case, rows[i].answer);
        if (rows[i].answer == ANSWER(ALL_EXTENSION_NUMBERS_RESPONSE)) {
            assert_string_equal(answer->all_extension_numbers_response->base_type_name,
                                rows[i].word);
            assert_int_equal(answer->all_extension_numbers_response->n_extension_number, 0);
        }
        answer_free(answer);
    }
}

/* Far more answers than the peer's share of memory holds. */
static void
questions_wait_for_a_client_that_does_not_read(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) stream = open_stream(rpc, V1);
    const unsigned n = 5000;

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *text = g_strdup("virtksm.v1.Agent");
        Question question;

        grpc__reflection__v1__server_reflection_request__init(&question);
        question.message_request_case = ASK(FILE_CONTAINING_SYMBOL);
        question.file_containing_symbol = text;
        assert_true(grpc_client_call_send(stream->call, &question.base));
    }
    grpc_client_call_half_close(stream->call);
    assert_int_equal(fakerpc_wait_end(stream), GRPC_STATUS_OK);
    assert_int_equal(stream->answers.length, n);
    assert_int_equal(unpacked, 1); /* by any test of this program */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RPC(every_service_with_methods_is_listed_once),
        ON_RPC(a_symbol_or_a_name_leads_to_its_file_and_what_that_imports),
        ON_RPC(there_are_no_extensions),
        ON_RPC(questions_wait_for_a_client_that_does_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
