/*
 * JSON objects that carry their own sum, for documents in places that have nothing beside them to
 * keep it in, such as a row of the database. Damage can leave a document readable: a bit that turns
 * one number into another. A document without a sum, as an earlier version wrote it, is believed.
 */
#ifndef DAVIT_BASE_JSON_SUM_H
#define DAVIT_BASE_JSON_SUM_H

#include "json.h"

/* Ends the object that is the whole document of a writer that does not indent: its last member,
 * "sum", is that of all the text before it. */
void json_object_close_with_sum(struct json_writer *writer);

/* False if the text ends with a sum that is not its own. Spaces may follow the document. */
bool json_sum_is_right(const char *text, size_t length);

#endif
