/* Messages of the fetch channel: see fetch_channel.h. */
#include "fetch_channel.h"

#define FIELD JSON_FIELD

static const struct json_field endpoint_fields[] = {
    FIELD(struct fetch_endpoint, url, "url", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct fetch_endpoint, is_mirror, "is_mirror", JSON_KIND_BOOL),
    FIELD(struct fetch_endpoint, is_insecure, "is_insecure", JSON_KIND_BOOL),
};
static const struct json_struct endpoint_type = JSON_STRUCT(struct fetch_endpoint, endpoint_fields);

static const struct json_field setup_fields[] = {
    FIELD(struct fetch_setup, endpoints, "endpoints", JSON_KIND_STRUCTS, .type = &endpoint_type,
          .flags = JSON_REQUIRED),
    FIELD(struct fetch_setup, repository, "repository", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct fetch_setup, ca_pem, "ca_pem", JSON_KIND_STRING),
    FIELD(struct fetch_setup, credentials.username, "username", JSON_KIND_STRING),
    FIELD(struct fetch_setup, credentials.password, "password", JSON_KIND_STRING),
    FIELD(struct fetch_setup, credentials.identity_token, "identity_token", JSON_KIND_STRING),
};
const struct json_struct fetch_setup_type = JSON_STRUCT(struct fetch_setup, setup_fields);

static const struct json_field request_fields[] = {
    FIELD(struct fetch_request, id, "id", JSON_KIND_INT32, .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct fetch_request, is_manifest, "is_manifest", JSON_KIND_BOOL),
    FIELD(struct fetch_request, is_tag_list, "is_tag_list", JSON_KIND_BOOL),
    FIELD(struct fetch_request, is_upload, "is_upload", JSON_KIND_BOOL),
    FIELD(struct fetch_request, media_type, "media_type", JSON_KIND_STRING),
    FIELD(struct fetch_request, reference, "reference", JSON_KIND_STRING,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct fetch_request, path, "path", JSON_KIND_STRING),
    FIELD(struct fetch_request, repository, "repository", JSON_KIND_STRING),
    FIELD(struct fetch_request, size, "size", JSON_KIND_INT64, .maximum = INT64_MAX),
};
const struct json_struct fetch_request_type = JSON_STRUCT(struct fetch_request, request_fields);

static const struct json_field answer_fields[] = {
    FIELD(struct fetch_answer, id, "id", JSON_KIND_INT32, .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct fetch_answer, received, "received", JSON_KIND_INT64, .maximum = INT64_MAX),
    FIELD(struct fetch_answer, is_done, "is_done", JSON_KIND_BOOL),
    FIELD(struct fetch_answer, was_there, "was_there", JSON_KIND_BOOL),
    FIELD(struct fetch_answer, error, "error", JSON_KIND_STRING),
    FIELD(struct fetch_answer, code, "code", JSON_KIND_STRING),
};
const struct json_struct fetch_answer_type = JSON_STRUCT(struct fetch_answer, answer_fields);
