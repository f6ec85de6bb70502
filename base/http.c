/* HTTP messages: see http.h. */
#include "http.h"

#include <ctype.h>
#include <errno.h>
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http_parser_state {
    http_parser parser;
    http_parser_settings settings;
    int (*on_body)(void *context, const char *bytes, size_t length);
    void *context;
    struct arena arena;
    struct http_message message;
    struct buffer target;
    struct buffer name;
    struct buffer value;
    bool is_in_value;
    int failure; /* a negative errno from a callback */
};

static int fail(struct http_parser_state *state, int failure)
{
    state->failure = failure;
    return 1;
}

static int on_url(http_parser *parser, const char *bytes, size_t length)
{
    struct http_parser_state *state = parser->data;

    if (state->target.length + length > HTTP_TARGET_MAX)
        return fail(state, -E2BIG);
    buffer_append(&state->target, bytes, length);
    state->message.head_bytes += length;
    return 0;
}

static int store_header(struct http_parser_state *state)
{
    struct http_message *message = &state->message;

    if (state->name.length == 0)
        return 0;
    if (message->header_count == HTTP_HEADERS_MAX)
        return fail(state, -E2BIG);
    message->headers[message->header_count++] = (struct http_header){
        arena_strdup(&state->arena, buffer_text(&state->name)),
        arena_strdup(&state->arena, buffer_text(&state->value)),
    };
    state->name.length = 0;
    state->value.length = 0;
    if (state->value.data != NULL)
        state->value.data[0] = '\0';
    return 0;
}

static int on_header_field(http_parser *parser, const char *bytes, size_t length)
{
    struct http_parser_state *state = parser->data;

    if (state->is_in_value && store_header(state) != 0)
        return 1;
    state->is_in_value = false;
    buffer_append(&state->name, bytes, length);
    state->message.head_bytes += length;
    return 0;
}

static int on_header_value(http_parser *parser, const char *bytes, size_t length)
{
    struct http_parser_state *state = parser->data;

    state->is_in_value = true;
    buffer_append(&state->value, bytes, length);
    state->message.head_bytes += length;
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct http_parser_state *state = parser->data;
    struct http_message *message = &state->message;

    if (store_header(state) != 0)
        return -1;
    message->method = message->is_request ? http_method_str(parser->method) : NULL;
    message->target = arena_strdup(&state->arena, buffer_text(&state->target));
    message->status = (int)parser->status_code;
    message->is_upgrade = parser->upgrade != 0;
    message->keeps_alive = http_should_keep_alive(parser) != 0;
    message->has_headers = true;
    return 0;
}

static int on_body(http_parser *parser, const char *bytes, size_t length)
{
    struct http_parser_state *state = parser->data;
    int result = state->on_body != NULL ? state->on_body(state->context, bytes, length) : 0;

    return result < 0 ? fail(state, result) : 0;
}

/* Stops here: what follows is another message, or another protocol. */
static int on_message_complete(http_parser *parser)
{
    struct http_parser_state *state = parser->data;

    state->message.is_complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

struct http_parser_state *
http_parser_new(bool is_request, int (*body)(void *context, const char *bytes, size_t length),
                void *context)
{
    struct http_parser_state *state = memory_new_one(struct http_parser_state);

    http_parser_init(&state->parser, is_request ? HTTP_REQUEST : HTTP_RESPONSE);
    state->parser.data = state;
    state->on_body = body;
    state->context = context;
    state->message.is_request = is_request;
    http_parser_settings_init(&state->settings);
    state->settings.on_url = on_url;
    state->settings.on_header_field = on_header_field;
    state->settings.on_header_value = on_header_value;
    state->settings.on_headers_complete = on_headers_complete;
    state->settings.on_body = on_body;
    state->settings.on_message_complete = on_message_complete;
    return state;
}

void http_parser_free(struct http_parser_state *state)
{
    if (state == NULL)
        return;
    arena_release(&state->arena);
    buffer_release(&state->target);
    buffer_release(&state->name);
    buffer_release(&state->value);
    free(state);
}

int http_parser_feed(struct http_parser_state *state, const char *bytes, size_t length,
                     size_t *used, struct error *err)
{
    enum http_errno code;

    *used = http_parser_execute(&state->parser, &state->settings, bytes, length);
    code = HTTP_PARSER_ERRNO(&state->parser);
    if (code == HPE_PAUSED) {
        http_parser_pause(&state->parser, 0);
        return 0;
    }
    if (state->failure == -E2BIG || code == HPE_HEADER_OVERFLOW)
        return error_set(err, ERROR_TOO_LARGE, E2BIG, "the request's headers are too large");
    if (state->failure < 0)
        return error_set(err, ERROR_INTERNAL, -state->failure, "the body could not be taken");
    if (code != HPE_OK)
        return error_set(err, ERROR_INVALID, EBADMSG, "not valid HTTP: %s",
                         http_errno_description(code));
    return 0;
}

const struct http_message *http_parser_message(const struct http_parser_state *state)
{
    return &state->message;
}

void http_parser_next(struct http_parser_state *state)
{
    bool is_request = state->message.is_request;

    arena_release(&state->arena);
    memset(&state->message, 0, sizeof(state->message));
    state->message.is_request = is_request;
    state->target.length = 0;
    state->name.length = 0;
    state->value.length = 0;
    state->is_in_value = false;
    state->failure = 0;
    http_parser_init(&state->parser, is_request ? HTTP_REQUEST : HTTP_RESPONSE);
    state->parser.data = state;
}

const char *http_header_get(const struct http_message *message, const char *name)
{
    for (size_t i = 0; i < message->header_count; i++) {
        if (strcasecmp(message->headers[i].name, name) == 0)
            return message->headers[i].value;
    }
    return NULL;
}

const char *http_status_text(int status)
{
    switch (status) {
#define STATUS(number, name, text) \
    case number:                   \
        return #text;
        HTTP_STATUS_MAP(STATUS)
#undef STATUS
    default:
        return "Unknown";
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_decode(char *text, bool is_query)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++) {
        if (*in == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);

            if (low < 0 || (high == 0 && low == 0))
                return false;
            *out++ = (char)(high * 16 + low);
            in += 2;
        } else {
            *out++ = *in == '+' && is_query ? ' ' : *in;
        }
    }
    *out = '\0';
    return true;
}
