/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reflection.c - server reflection: the .proto files of what is served, for tools that have none
 *
 * The files are part of the program, as the compiler of .proto files describes them. They are
 * unpacked for the first question, once for all callers: a stream may ask a thousand questions in
 * one read. The messages of v1 and v1alpha are the same bytes, so one handler serves both.
 *
 * Symbols are services, methods, messages and enumerations. There are no extensions.
 */
#include "agent/rpc/method.h"
#include "proto/descriptors.h"
#include "proto/google/protobuf/descriptor.pb-c.h"
#include "proto/grpc/reflection/v1/reflection.pb-c.h"

#include <string.h>

/* Questions wait while this much of the answers has not been taken. */
#define QUEUE_BYTES_MAX ((size_t)64 * 1024)

typedef Google__Protobuf__FileDescriptorSet FileSet;
typedef Google__Protobuf__FileDescriptorProto File;
typedef Google__Protobuf__DescriptorProto MessageType;
typedef Google__Protobuf__EnumDescriptorProto EnumType;
typedef Google__Protobuf__ServiceDescriptorProto Service;
typedef Grpc__Reflection__V1__ServerReflectionRequest Question;
typedef Grpc__Reflection__V1__ServerReflectionResponse Answer;
typedef Grpc__Reflection__V1__FileDescriptorResponse FileAnswer;
typedef Grpc__Reflection__V1__ListServiceResponse ListAnswer;
typedef Grpc__Reflection__V1__ServiceResponse ServiceAnswer;
typedef Grpc__Reflection__V1__ErrorResponse ErrorAnswer;

#define ASKED(word)    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##word
#define ANSWERED(word) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##word

/* --- symbols ---------------------------------------------------------------------------- */

/* What follows @name in "name.rest"; "" if @symbol is @name; NULL if it begins otherwise. */
static const char *
rest_after(const char *symbol, const char *name)
{
    size_t length = strlen(name);

    if (length == 0)
        return symbol;
    if (strncmp(symbol, name, length) != 0)
        return NULL;
    if (symbol[length] == '\0')
        return "";
    return symbol[length] == '.' ? symbol + length + 1 : NULL;
}

static bool
has_enum(EnumType *const *enums, size_t n, const char *symbol)
{
    for (size_t i = 0; i < n; i++)
        if (g_str_equal(enums[i]->name, symbol))
            return true;
    return false;
}

static bool
has_message(MessageType *const *messages, size_t n, const char *symbol)
{
    for (size_t i = 0; i < n; i++) {
        const MessageType *message = messages[i];
        const char *rest = rest_after(symbol, message->name);

        if (rest &&
            (*rest == '\0' || has_message(message->nested_type, message->n_nested_type, rest) ||
             has_enum(message->enum_type, message->n_enum_type, rest)))
            return true;
    }
    return false;
}

static bool
has_method(const Service *service, const char *name)
{
    for (size_t i = 0; i < service->n_method; i++)
        if (g_str_equal(service->method[i]->name, name))
            return true;
    return false;
}

static bool
has_service(const File *file, const char *symbol)
{
    for (size_t i = 0; i < file->n_service; i++) {
        const char *rest = rest_after(symbol, file->service[i]->name);

        if (rest && (*rest == '\0' || has_method(file->service[i], rest)))
            return true;
    }
    return false;
}

static bool
has_symbol(const File *file, const char *symbol)
{
    const char *rest = rest_after(symbol, file->package ? file->package : "");

    return rest && (has_service(file, rest) ||
                    has_message(file->message_type, file->n_message_type, rest) ||
                    has_enum(file->enum_type, file->n_enum_type, rest));
}

static bool
has_name(const File *file, const char *name)
{
    return g_str_equal(file->name, name);
}

static const File *
find_file(const FileSet *set, bool (*is_it)(const File *file, const char *word), const char *word)
{
    for (size_t i = 0; i < set->n_file; i++)
        if (is_it(set->file[i], word))
            return set->file[i];
    return NULL;
}

/* --- answers ---------------------------------------------------------------------------- */

static void
set_error(Answer *answer, GrpcStatus status, const char *text)
{
    ErrorAnswer *error = g_new(ErrorAnswer, 1);

    grpc__reflection__v1__error_response__init(error);
    error->error_code = (int32_t)status;
    error->error_message = g_strdup(text);
    answer->message_response_case = ANSWERED(ERROR_RESPONSE);
    answer->error_response = error;
}

/* The file and what it imports, each once; what is imported has been unpacked before it. */
static void
collect(const FileSet *set, const File *file, GPtrArray *files)
{
    if (g_ptr_array_find(files, file, NULL))
        return;
    for (size_t i = 0; i < file->n_dependency; i++) {
        const File *import = find_file(set, has_name, file->dependency[i]);

        g_assert(import);
        collect(set, import, files);
    }
    g_ptr_array_add(files, (gpointer)(uintptr_t)file);
}

static void
set_file(Answer *answer, const FileSet *set, const File *file)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new();
    FileAnswer *found;

    if (!file) {
        set_error(answer, GRPC_STATUS_NOT_FOUND, "no file has it");
        return;
    }
    collect(set, file, files);
    found = g_new(FileAnswer, 1);
    grpc__reflection__v1__file_descriptor_response__init(found);
    found->n_file_descriptor_proto = files->len;
    found->file_descriptor_proto = g_new(ProtobufCBinaryData, files->len);
    for (guint i = 0; i < files->len; i++) {
        const File *one = files->pdata[files->len - 1 - i]; /* the one that was asked for first */
        ProtobufCBinaryData *bytes = &found->file_descriptor_proto[i];

        bytes->data = g_malloc(google__protobuf__file_descriptor_proto__get_packed_size(one));
        bytes->len = google__protobuf__file_descriptor_proto__pack(one, bytes->data);
    }
    answer->message_response_case = ANSWERED(FILE_DESCRIPTOR_RESPONSE);
    answer->file_descriptor_response = found;
}

static void
add_service(ListAnswer *list, const File *file, const Service *service)
{
    ServiceAnswer *one = g_new(ServiceAnswer, 1);

    grpc__reflection__v1__service_response__init(one);
    one->name = file->package && *file->package
                    ? g_strconcat(file->package, ".", service->name, NULL)
                    : g_strdup(service->name);
    list->service = g_renew(ServiceAnswer *, list->service, list->n_service + 1);
    list->service[list->n_service++] = one;
}

static void
set_services(Answer *answer, const FileSet *set)
{
    ListAnswer *list = g_new(ListAnswer, 1);

    grpc__reflection__v1__list_service_response__init(list);
    for (size_t i = 0; i < set->n_file; i++)
        for (size_t j = 0; j < set->file[i]->n_service; j++)
            add_service(list, set->file[i], set->file[i]->service[j]);
    answer->message_response_case = ANSWERED(LIST_SERVICES_RESPONSE);
    answer->list_services_response = list;
}

static void
set_extensions(Answer *answer, const FileSet *set, const char *type)
{
    Grpc__Reflection__V1__ExtensionNumberResponse *none;

    if (!find_file(set, has_symbol, type)) {
        set_error(answer, GRPC_STATUS_NOT_FOUND, "no file has it");
        return;
    }
    none = g_new(Grpc__Reflection__V1__ExtensionNumberResponse, 1);
    grpc__reflection__v1__extension_number_response__init(none);
    none->base_type_name = g_strdup(type);
    answer->message_response_case = ANSWERED(ALL_EXTENSION_NUMBERS_RESPONSE);
    answer->all_extension_numbers_response = none;
}

static void
set_answer(Answer *answer, const Question *question, const FileSet *set)
{
    switch (question->message_request_case) {
    case ASKED(FILE_BY_FILENAME):
        set_file(answer, set, find_file(set, has_name, question->file_by_filename));
        break;
    case ASKED(FILE_CONTAINING_SYMBOL):
        set_file(answer, set, find_file(set, has_symbol, question->file_containing_symbol));
        break;
    case ASKED(FILE_CONTAINING_EXTENSION):
        set_error(answer, GRPC_STATUS_NOT_FOUND, "there are no extensions");
        break;
    case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
        set_extensions(answer, set, question->all_extension_numbers_of_type);
        break;
    case ASKED(LIST_SERVICES):
        set_services(answer, set);
        break;
    default:
        set_error(answer, GRPC_STATUS_INVALID_ARGUMENT, "the question is empty or not known here");
        break;
    }
}

static const FileSet *
served_files(void)
{
    static const FileSet *set; /* as constant as the bytes that it is made of */
    size_t length;
    const uint8_t *bytes = proto_descriptors(&length);

    if (!set)
        set = google__protobuf__file_descriptor_set__unpack(NULL, length, bytes);
    g_assert(set); /* part of the program */
    return set;
}

static void
reflection_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const Question *question = (const Question *)data;
    Answer *answer = g_new(Answer, 1);

    grpc__reflection__v1__server_reflection_response__init(answer);
    set_answer(answer, question, served_files());
    answer->valid_host = question->host;
    answer->original_request = (Question *)(uintptr_t)question; /* only read */
    if (!grpc_call_send(call, &answer->base))
        grpc_call_fail(call, GRPC_STATUS_RESOURCE_EXHAUSTED,
                       "earlier answers to you have not been read");
    grpc_call_hold(call, grpc_call_queued_bytes(call) > QUEUE_BYTES_MAX);
    answer->valid_host = NULL;
    answer->original_request = NULL;
    grpc__reflection__v1__server_reflection_response__free_unpacked(answer, NULL);
}

static void
reflection_drained(GrpcCall *call)
{
    grpc_call_hold(call, false);
}

const GrpcHandler reflection_handler = {
    .message = reflection_message,
    .half_closed = grpc_call_finish,
    .drained = reflection_drained,
};
