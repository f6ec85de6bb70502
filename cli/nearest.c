/* Mistyped words: see nearest.h. */
#include "nearest.h"

#include <string.h>

#include "base/memory.h"

#define WORD_MAX 40

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters have to be added, removed, replaced or swapped with the next one to make one
 * word of the other: Damerau's and Levenshtein's distance, without a second edit of what was
 * swapped. Words longer than WORD_MAX are compared up to there. */
static size_t distance_between(const char *one, const char *other)
{
    size_t rows[3][WORD_MAX + 1];
    size_t height = strnlen(one, WORD_MAX);
    size_t width = strnlen(other, WORD_MAX);

    for (size_t j = 0; j <= width; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= height; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            row[j] =
                least(least(above[j], row[j - 1]) + 1, above[j - 1] + (one[i - 1] != other[j - 1]));
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[height % 3][width];
}

struct nearest nearest_to(const char *mistyped)
{
    return (struct nearest){.distance = strnlen(mistyped, WORD_MAX) / 3 + 1};
}

void nearest_try(struct nearest *nearest, const char *mistyped, const char *known)
{
    size_t distance = distance_between(mistyped, known);

    if (distance >= nearest->distance || strlen(mistyped) > WORD_MAX)
        return;
    nearest->distance = distance;
    nearest->word = known;
}
