/*
 * Which images may come to this host: the policy of davit-policy.json(5). davitd reads it and hands
 * it to the image worker, which asks it before a layer is unpacked or an image gets a name.
 */
#ifndef DAVIT_IMAGES_TRUST_H
#define DAVIT_IMAGES_TRUST_H

#include "images.h"

enum trust_action {
    TRUST_UNSET, /* the policy names no default: accept */
    TRUST_ACCEPT,
    TRUST_REJECT,
    TRUST_DIGEST, /* its digest has to be in the rule's list */
    TRUST_SIGNED, /* a signature by one of the rule's keys has to be found */
};

struct trust_rule {
    const char *match; /* of repositories; "*" is any text without a slash, "**" any text */
    int action;        /* enum trust_action */
    struct string_list digests;
    struct string_list keys;    /* files of public keys, PEM */
    const char *signatures;     /* a directory; NULL: the registry */
    const char *identity;       /* what the signature has to name; NULL: anything */
    struct string_list key_pem; /* what `keys` hold */
};

struct trust_policy {
    int otherwise; /* enum trust_action: where no rule matches */
    LIST_OF(struct trust_rule) rules;
};

/* The policy as davitd sends it to the worker: with the keys' text. */
extern const struct json_struct trust_policy_type;

/* Reads the file and the keys that it names. NULL is no file: everything is accepted. */
int trust_read(const char *path, struct arena *arena, struct trust_policy *policy,
               struct error *err);

/* The rule for a repository ("docker.io/library/busybox", "" for an image without a name): the
 * first that matches; NULL: none does. */
const struct trust_rule *trust_find(const struct trust_policy *policy, const char *repository);

/* Judges an image without looking at signatures: 1 if the policy accepts it, 0 if a signature has
 * to decide, or ERROR_DENIED with the rule's name. `digests` are those of the image's manifest and
 * of the index that led to it. */
int trust_check(const struct trust_policy *policy, const char *repository,
                const char *const *digests, size_t count, struct error *err);

/* "rule 2 of the policy (docker.io/library/busybox)" */
const char *trust_describe(const struct trust_policy *policy, const struct trust_rule *rule,
                           struct arena *arena);

#endif
