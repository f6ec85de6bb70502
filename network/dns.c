/* Reading and writing DNS messages: see dns.h. */
#include "dns.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/number.h"

#define FLAG_ANSWER 0x8000
#define FLAGS_OPCODE 0x7800
#define FLAG_TRUNCATED 0x0200
#define FLAG_RECURSION_WANTED 0x0100
#define FLAG_RECURSION_THERE 0x0080

#define CLASS_IN 1
#define POINTER 0xc0
#define POINTERS_MAX 16
#define ALIASES_MAX 16        /* one for the other, until there is an address */
#define RECORD_HEADER_SIZE 10 /* behind its name */
#define RECORD_TTL_AT 4       /* in it */
#define OPT_SIZE 11
#define EDNS_UDP_SIZE 1232 /* that is not fragmented anywhere (DNS flag day 2020) */

struct reader {
    const uint8_t *bytes;
    size_t length;
    size_t at;
};

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static void put32(uint8_t *bytes, uint32_t value)
{
    put16(bytes, (uint16_t)(value >> 16));
    put16(bytes + 2, (uint16_t)value);
}

static char name_character(uint8_t byte)
{
    return isalnum(byte) || byte == '-' || byte == '_' ? (char)tolower(byte) : '?';
}

/* Appends a label to `name`, with a "." before it if it is not the first. */
static int append_label(const uint8_t *label, size_t length, char *name, size_t *used)
{
    if (*used + length + 2 > DNS_NAME_SIZE)
        return -EINVAL;
    if (*used > 0)
        name[(*used)++] = '.';
    for (size_t i = 0; i < length; i++)
        name[(*used)++] = name_character(label[i]);
    name[*used] = '\0';
    return 0;
}

/* `name` takes DNS_NAME_SIZE bytes. Pointers lead backwards only (RFC 1035, 4.1.4), so that none
 * leads in a circle. */
static int read_name(struct reader *reader, char *name)
{
    size_t at = reader->at;
    size_t lowest = reader->at;
    size_t used = 0;
    bool has_jumped = false;

    name[0] = '\0';
    for (int pointers = 0; at < reader->length;) {
        size_t length = reader->bytes[at];

        if ((length & POINTER) == POINTER) {
            if (at + 2 > reader->length || ++pointers > POINTERS_MAX)
                return -EINVAL;
            if (!has_jumped)
                reader->at = at + 2;
            has_jumped = true;
            at = get16(reader->bytes + at) & 0x3fff;
            if (at >= lowest || at < DNS_HEADER_SIZE)
                return -EINVAL;
            lowest = at;
            continue;
        }
        if (length > DNS_LABEL_MAX || at + 1 + length > reader->length)
            return -EINVAL;
        at += 1 + length;
        if (length == 0) {
            if (!has_jumped)
                reader->at = at;
            return 0;
        }
        if (append_label(reader->bytes + at - length, length, name, &used) < 0)
            return -EINVAL;
    }
    return -EINVAL;
}

/* Writes a name as labels. Returns its length, or 0 if it is malformed or does not fit. */
static size_t write_name(uint8_t *out, size_t room, const char *name)
{
    size_t used = 0;

    while (*name != '\0') {
        size_t length = strcspn(name, ".");

        if (length == 0 || length > DNS_LABEL_MAX || used + length + 2 > room)
            return 0;
        out[used++] = (uint8_t)length;
        memcpy(out + used, name, length);
        used += length;
        name += length;
        if (*name == '.')
            name++;
    }
    if (used >= room)
        return 0;
    out[used++] = 0;
    return used;
}

struct record {
    char name[DNS_NAME_SIZE];
    uint16_t type;
    uint16_t record_class;
    uint32_t ttl_s;
    const uint8_t *data;
    size_t length;
};

static int read_record(struct reader *reader, struct record *record)
{
    const uint8_t *header;

    if (read_name(reader, record->name) < 0 || reader->length - reader->at < RECORD_HEADER_SIZE)
        return -EINVAL;
    header = reader->bytes + reader->at;
    record->type = get16(header);
    record->record_class = get16(header + 2);
    record->ttl_s = get32(header + 4);
    record->length = get16(header + 8);
    reader->at += RECORD_HEADER_SIZE;
    if (record->length > reader->length - reader->at)
        return -EINVAL;
    record->data = reader->bytes + reader->at;
    reader->at += record->length;
    return 0;
}

/* What stands behind the question matters for EDNS alone. */
static int read_edns(struct reader *reader, size_t count, struct dns_question *question)
{
    for (size_t i = 0; i < count; i++) {
        struct record record;

        if (read_record(reader, &record) < 0)
            return -EINVAL;
        if (record.type != DNS_TYPE_OPT || question->has_edns)
            continue;
        question->has_edns = true;
        if (record.record_class > DNS_UDP_SIZE)
            question->udp_size = record.record_class;
    }
    return 0;
}

static int read_head(struct reader *reader, struct dns_question *question)
{
    const uint8_t *bytes = reader->bytes;

    *question = (struct dns_question){.udp_size = DNS_UDP_SIZE};
    if (reader->length < DNS_HEADER_SIZE || get16(bytes + 4) != 1)
        return -EINVAL;
    question->id = get16(bytes);
    question->flags = get16(bytes + 2);
    reader->at = DNS_HEADER_SIZE;
    if (read_name(reader, question->name) < 0 || reader->length - reader->at < 4)
        return -EINVAL;
    question->type = get16(bytes + reader->at);
    question->record_class = get16(bytes + reader->at + 2);
    question->end = reader->at += 4;
    return 0;
}

int dns_read_question(const uint8_t *message, size_t length, struct dns_question *question)
{
    struct reader reader = {message, length, 0};

    if (read_head(&reader, question) < 0)
        return -EINVAL;
    return read_edns(&reader, (size_t)get16(message + 6) + get16(message + 8) + get16(message + 10),
                     question);
}

bool dns_is_query(const struct dns_question *question)
{
    return (question->flags & (FLAG_ANSWER | FLAGS_OPCODE)) == 0;
}

bool dns_answer_matches(const uint8_t *answer, size_t length, const struct dns_question *question,
                        uint16_t id)
{
    struct reader reader = {answer, length, 0};
    struct dns_question echo;

    return read_head(&reader, &echo) == 0 && (echo.flags & FLAG_ANSWER) != 0 && echo.id == id &&
           strcmp(echo.name, question->name) == 0 && echo.type == question->type &&
           echo.record_class == question->record_class;
}

void dns_set_id(uint8_t *message, uint16_t id)
{
    put16(message, id);
}

/* A record of the question's name. Returns its length, 0 if it does not fit. */
static size_t write_record(uint8_t *out, size_t room, uint16_t type, uint32_t ttl_s,
                           const uint8_t *data, size_t length)
{
    size_t size = 2 + RECORD_HEADER_SIZE + length;

    if (size > room)
        return 0;
    put16(out, POINTER << 8 | DNS_HEADER_SIZE);
    put16(out + 2, type);
    put16(out + 4, CLASS_IN);
    put32(out + 6, ttl_s);
    put16(out + 10, (uint16_t)length);
    memcpy(out + 12, data, length);
    return size;
}

static size_t write_edns(uint8_t *out)
{
    memset(out, 0, OPT_SIZE);
    put16(out + 1, DNS_TYPE_OPT);
    put16(out + 3, EDNS_UDP_SIZE);
    return OPT_SIZE;
}

size_t dns_write_answer(const uint8_t *message, const struct dns_question *question,
                        const struct dns_answer *answer, uint8_t *out, size_t size)
{
    size_t room = size - (question->has_edns ? OPT_SIZE : 0);
    size_t used = question->end;
    uint16_t flags = (uint16_t)(FLAG_ANSWER | FLAG_RECURSION_THERE | answer->code |
                                (question->flags & FLAG_RECURSION_WANTED));
    uint16_t count = 0;
    uint8_t name[DNS_NAME_SIZE + 1];
    size_t length;

    memcpy(out, message, question->end);
    for (size_t i = 0; i < answer->address_count; i++) {
        length = write_record(out + used, room - used, question->type, answer->ttl_s,
                              answer->addresses[i].bytes, address_length(&answer->addresses[i]));
        used += length;
        count = (uint16_t)(count + (length > 0));
        if (length == 0)
            flags |= FLAG_TRUNCATED;
    }
    if (answer->name != NULL) {
        length = write_name(name, sizeof(name), answer->name);
        length = length == 0 ? 0
                             : write_record(out + used, room - used, DNS_TYPE_PTR, answer->ttl_s,
                                            name, length);
        used += length;
        count = (uint16_t)(count + (length > 0));
    }
    put16(out + 2, flags);
    put16(out + 4, 1);
    put16(out + 6, count);
    put16(out + 8, 0);
    put16(out + 10, question->has_edns);
    return question->has_edns ? used + write_edns(out + used) : used;
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name);
    size_t end_length = strlen(end);

    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

bool dns_name_matches(const char *pattern, const char *name)
{
    size_t length = strlen(name);
    size_t rest = strlen(pattern);

    if (pattern[0] != '*')
        return strcmp(pattern, name) == 0;
    return rest == 1 || (length > rest - 1 && ends_with(name, pattern + 1));
}

static int parse_reverse4(const char *name, struct address *address)
{
    address->family = AF_INET;
    for (int i = 3; i >= 0; i--) {
        uint64_t value;

        if (!number_take(&name, 10, 255, &value) || *name++ != '.')
            return -EINVAL;
        address->bytes[i] = (uint8_t)value;
    }
    return strcmp(name, "in-addr.arpa") == 0 ? 0 : -EINVAL;
}

static int parse_reverse6(const char *name, struct address *address)
{
    static const char digits[] = "0123456789abcdef";

    address->family = AF_INET6;
    for (size_t i = 0; i < 32; i++) {
        const char *digit = *name != '\0' ? strchr(digits, *name) : NULL;
        unsigned int shift = i % 2 == 0 ? 0 : 4;

        if (digit == NULL || name[1] != '.')
            return -EINVAL;
        address->bytes[15 - i / 2] |= (uint8_t)((unsigned int)(digit - digits) << shift);
        name += 2;
    }
    return strcmp(name, "ip6.arpa") == 0 ? 0 : -EINVAL;
}

int dns_parse_reverse(const char *name, struct address *address)
{
    *address = (struct address){0};
    return ends_with(name, ".ip6.arpa") ? parse_reverse6(name, address)
                                        : parse_reverse4(name, address);
}

static void take_address(const struct record *record, struct dns_addresses *addresses)
{
    struct address address = {.family = record->type == DNS_TYPE_A ? AF_INET : AF_INET6};

    if (record->length != address_length(&address) || addresses->count == DNS_ADDRESSES_MAX)
        return;
    memcpy(address.bytes, record->data, record->length);
    addresses->items[addresses->count++] = address;
}

/* The answer section, from its begin. */
struct section {
    struct reader reader;
    size_t left;
};

/* The next record of the section that belongs to the name. 0: there is none. */
static int next_record(struct section *section, const char *name, struct record *record)
{
    for (; section->left > 0; section->left--) {
        if (read_record(&section->reader, record) < 0)
            return -EINVAL;
        if (record->record_class != CLASS_IN || strcmp(record->name, name) != 0)
            continue;
        section->left--;
        return 1;
    }
    return 0;
}

/* Replaces the name by the one that it stands for. 0: it stands for itself. */
static int follow_alias(struct section section, char name[DNS_NAME_SIZE], uint32_t *ttl_s)
{
    struct record record;
    int result = next_record(&section, name, &record);

    while (result == 1 && record.type != DNS_TYPE_CNAME)
        result = next_record(&section, name, &record);
    if (result != 1)
        return result;
    section.reader.at = (size_t)(record.data - section.reader.bytes);
    if (read_name(&section.reader, name) < 0)
        return -EINVAL;
    if (record.ttl_s < *ttl_s)
        *ttl_s = record.ttl_s;
    return 1;
}

static int take_addresses(struct section section, const char *name, struct dns_addresses *addresses)
{
    struct record record;
    int result;

    while ((result = next_record(&section, name, &record)) == 1) {
        if (record.type != DNS_TYPE_A && record.type != DNS_TYPE_AAAA)
            continue;
        take_address(&record, addresses);
        if (record.ttl_s < addresses->ttl_s)
            addresses->ttl_s = record.ttl_s;
    }
    return result;
}

int dns_read_addresses(const uint8_t *message, size_t length, struct dns_addresses *addresses)
{
    struct section section = {.reader = {message, length, 0}};
    struct dns_question question;
    int result = 1;

    addresses->count = 0;
    addresses->ttl_s = UINT32_MAX;
    if (read_head(&section.reader, &question) < 0)
        return -EINVAL;
    section.left = get16(message + 6);
    for (int i = 0; result == 1 && i < ALIASES_MAX; i++)
        result = follow_alias(section, question.name, &addresses->ttl_s);
    /* A longer chain leads nowhere, or in a circle. */
    return result == 0 ? take_addresses(section, question.name, addresses) : -EINVAL;
}

void dns_limit_ttls(uint8_t *message, size_t length, uint32_t max_s)
{
    struct reader reader = {message, length, 0};
    struct dns_question question;

    if (read_head(&reader, &question) < 0)
        return;
    for (size_t left = get16(message + 6); left > 0; left--) {
        struct record record;
        uint8_t *ttl;

        if (read_record(&reader, &record) < 0)
            return;
        ttl = message + (record.data - message) - RECORD_HEADER_SIZE + RECORD_TTL_AT;
        if (record.ttl_s > max_s)
            put32(ttl, max_s);
    }
}
