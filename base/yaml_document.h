/*
 * YAML over libyaml, the only place that knows libyaml: configuration files that others write. What
 * comes out is a tree as json_parse() makes it, so that tables decode both.
 *
 * Taken is what JSON can say as well, in one document: mappings with names, sequences, scalars.
 * Plain scalars are read as YAML 1.1 has them where that is a null, a boolean or a number (also
 * octal and hexadecimal), everything else is a string. Anchors, aliases, tags and merge keys are
 * refused: they are what makes YAML expand.
 */
#ifndef DAVIT_BASE_YAML_DOCUMENT_H
#define DAVIT_BASE_YAML_DOCUMENT_H

#include "error.h"
#include "json.h"
#include "memory.h"

/* Parses one document; the tree lives in `arena`. Bounds as in json_parse(). Errors carry line and
 * column. */
int yaml_parse(struct arena *arena, const char *text, size_t length,
               const struct json_limits *limits, const struct json **value, struct error *err);

#endif
