/* The policy: see trust.h. */
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"

#define POLICY_MAX (64 << 10)
#define KEY_MAX (4 << 10)
#define KEYS_MAX 16
#define RULES_MAX 256

static const char *const actions[] = {NULL, "accept", "reject", "digest", "signed", NULL};
static const char *const defaults[] = {NULL, "accept", "reject", NULL};

#define RULE_FIELDS                                                                          \
    JSON_FIELD(struct trust_rule, match, "match", JSON_KIND_STRING, .flags = JSON_REQUIRED), \
        JSON_FIELD(struct trust_rule, action, "action", JSON_KIND_ENUM, .names = actions,    \
                   .flags = JSON_REQUIRED),                                                  \
        JSON_FIELD(struct trust_rule, digests, "digests", JSON_KIND_STRINGS),                \
        JSON_FIELD(struct trust_rule, keys, "keys", JSON_KIND_STRINGS),                      \
        JSON_FIELD(struct trust_rule, signatures, "signatures", JSON_KIND_STRING),           \
        JSON_FIELD(struct trust_rule, identity, "identity", JSON_KIND_STRING)

static const struct json_field file_rule_fields[] = {RULE_FIELDS};
static const struct json_struct file_rule_type =
    JSON_CLOSED_STRUCT(struct trust_rule, file_rule_fields);
static const struct json_field file_fields[] = {
    JSON_FIELD(struct trust_policy, otherwise, "default", JSON_KIND_ENUM, .names = defaults),
    JSON_FIELD(struct trust_policy, rules, "rules", JSON_KIND_STRUCTS, .type = &file_rule_type),
};
static const struct json_struct file_type = JSON_CLOSED_STRUCT(struct trust_policy, file_fields);

static const struct json_field rule_fields[] = {
    RULE_FIELDS,
    JSON_FIELD(struct trust_rule, key_pem, "key_pem", JSON_KIND_STRINGS),
};
static const struct json_struct rule_type = JSON_STRUCT(struct trust_rule, rule_fields);
static const struct json_field policy_fields[] = {
    JSON_FIELD(struct trust_policy, otherwise, "default", JSON_KIND_ENUM, .names = defaults),
    JSON_FIELD(struct trust_policy, rules, "rules", JSON_KIND_STRUCTS, .type = &rule_type),
};
const struct json_struct trust_policy_type = JSON_STRUCT(struct trust_policy, policy_fields);

static int read_key(const char *path, struct arena *arena, struct trust_rule *rule,
                    struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read(AT_FDCWD, path, KEY_MAX, &text, err);

    if (result < 0)
        return result;
    if (strstr(buffer_text(&text), "-----BEGIN PUBLIC KEY-----") == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "%s: no public key in PEM form", path);
    string_list_append(arena, &rule->key_pem, arena_strdup(arena, buffer_text(&text)));
    return 0;
}

/* Refuses members that the rule's action does not use: nobody would notice the mistake. */
static int check_rule(const struct trust_rule *rule, struct error *err)
{
    bool is_digest = rule->action == TRUST_DIGEST;
    bool is_signed = rule->action == TRUST_SIGNED;

    if (rule->match[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "match: empty");
    if (is_digest != (rule->digests.count > 0))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "digests: are what the action \"digest\", and no other, needs");
    if (is_signed != (rule->keys.count > 0))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "keys: are what the action \"signed\", and no other, needs");
    if (!is_signed && (rule->signatures != NULL || rule->identity != NULL))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "signatures and identity: go with the action \"signed\" alone");
    if (rule->signatures != NULL && rule->signatures[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL, "signatures: not an absolute path");
    if (rule->keys.count > KEYS_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "keys: more than %d", KEYS_MAX);
    for (size_t i = 0; i < rule->digests.count; i++) {
        if (!digest_is_valid(rule->digests.items[i]))
            return error_set(err, ERROR_INVALID, EINVAL, "digests[%zu]: not a sha256 digest", i);
    }
    return 0;
}

static int read_rule(struct trust_rule *rule, struct arena *arena, struct error *err)
{
    int result = check_rule(rule, err);

    for (size_t i = 0; result == 0 && i < rule->keys.count; i++)
        result = read_key(rule->keys.items[i], arena, rule, err);
    return result;
}

static int read_policy(const char *path, struct arena *arena, struct trust_policy *policy,
                       struct error *err)
{
    struct json_limits limits = json_default_limits;
    cleanup_buffer struct buffer text = {0};
    const struct json *json;
    int result = file_read(AT_FDCWD, path, POLICY_MAX, &text, err);

    limits.allow_comments = true;
    if (result == 0)
        result = json_parse(arena, buffer_text(&text), text.length, &limits, &json, err);
    if (result == 0)
        result = json_decode(arena, json, &file_type, "", policy, err);
    if (result == 0 && policy->rules.count > RULES_MAX)
        result = error_set(err, ERROR_INVALID, E2BIG, "rules: more than %d", RULES_MAX);
    for (size_t i = 0; result == 0 && i < policy->rules.count; i++) {
        result = read_rule(&policy->rules.items[i], arena, err);
        if (result < 0)
            error_prefix(err, "rules[%zu]", i);
    }
    return result;
}

int trust_read(const char *path, struct arena *arena, struct trust_policy *policy,
               struct error *err)
{
    int result = 0;

    *policy = (struct trust_policy){.otherwise = TRUST_ACCEPT};
    if (path == NULL)
        return 0;
    policy->otherwise = TRUST_UNSET;
    result = read_policy(path, arena, policy, err);
    if (result == 0 && policy->otherwise == TRUST_UNSET)
        result =
            error_set(err, ERROR_INVALID, EINVAL, "default: \"accept\" or \"reject\" is expected");
    return result < 0 ? error_prefix(err, "policy %s", path) : 0;
}

/* "*" matches within a component, "**" anything. */
static bool matches(const char *pattern, const char *text)
{
    bool is_deep = pattern[0] == '*' && pattern[1] == '*';

    if (*pattern != '*')
        return *pattern == *text && (*pattern == '\0' || matches(pattern + 1, text + 1));
    for (;; text++) {
        if (matches(pattern + (is_deep ? 2 : 1), text))
            return true;
        if (*text == '\0' || (*text == '/' && !is_deep))
            return false;
    }
}

const struct trust_rule *trust_find(const struct trust_policy *policy, const char *repository)
{
    for (size_t i = 0; i < policy->rules.count; i++) {
        if (matches(policy->rules.items[i].match, repository))
            return &policy->rules.items[i];
    }
    return NULL;
}

const char *trust_describe(const struct trust_policy *policy, const struct trust_rule *rule,
                           struct arena *arena)
{
    if (rule == NULL)
        return "the default of the policy";
    return arena_printf(arena, "rule %zu of the policy (%s)",
                        (size_t)(rule - policy->rules.items) + 1, rule->match);
}

int trust_check(const struct trust_policy *policy, const char *repository,
                const char *const *digests, size_t count, struct error *err)
{
    const struct trust_rule *rule = trust_find(policy, repository);
    int action = rule != NULL ? rule->action : policy->otherwise;
    cleanup_arena struct arena arena = {0};

    if (action == TRUST_SIGNED)
        return 0;
    if (action == TRUST_ACCEPT || action == TRUST_UNSET)
        return 1;
    for (size_t i = 0; action == TRUST_DIGEST && i < count; i++) {
        if (string_list_has(&rule->digests, digests[i]))
            return 1;
    }
    if (action == TRUST_DIGEST)
        return error_set(err, ERROR_DENIED, EPERM, "%s does not list the digest %s",
                         trust_describe(policy, rule, &arena), count > 0 ? digests[0] : "");
    return error_set(err, ERROR_DENIED, EPERM, "%s rejects %s",
                     trust_describe(policy, rule, &arena),
                     repository[0] != '\0' ? repository : "images without a name");
}
