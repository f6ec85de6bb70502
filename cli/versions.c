/* Versions: see versions.h. */
#include "versions.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* Text of these lengths as text; moves both behind it. */
static int compare_texts(const char **left, size_t left_length, const char **right,
                         size_t right_length)
{
    size_t shorter = left_length < right_length ? left_length : right_length;
    int order = strncmp(*left, *right, shorter);

    *left += left_length;
    *right += right_length;
    if (order != 0 || left_length == right_length)
        return order;
    return left_length < right_length ? -1 : 1;
}

/* Numbers of any length; moves both behind them. No digits are 0. */
static int compare_numbers(const char **left, const char **right)
{
    size_t left_length;
    size_t right_length;
    int order;

    while (**left == '0')
        (*left)++;
    while (**right == '0')
        (*right)++;
    left_length = digits(*left);
    right_length = digits(*right);
    if (left_length != right_length)
        order = left_length < right_length ? -1 : 1;
    else
        order = strncmp(*left, *right, left_length);
    *left += left_length;
    *right += right_length;
    return order;
}

/* "epoch:rest": compares the epochs and moves behind them. */
static int compare_epochs(const char **left, const char **right)
{
    const char *left_epoch = (*left)[digits(*left)] == ':' ? *left : "0:";
    const char *right_epoch = (*right)[digits(*right)] == ':' ? *right : "0:";

    if (left_epoch == *left)
        *left += digits(*left) + 1;
    if (right_epoch == *right)
        *right += digits(*right) + 1;
    return compare_numbers(&left_epoch, &right_epoch);
}

/* A tilde is before the end, letters before all others. */
static int deb_weight(const char *text, const char *end)
{
    if (text == end || is_digit(*text))
        return 0;
    if (*text == '~')
        return -1;
    return is_letter(*text) ? (unsigned char)*text : (unsigned char)*text + 256;
}

static int compare_deb_part(const char *left, const char *left_end, const char *right,
                            const char *right_end)
{
    while (left < left_end || right < right_end) {
        int order;

        while ((left < left_end && !is_digit(*left)) || (right < right_end && !is_digit(*right))) {
            int difference = deb_weight(left, left_end) - deb_weight(right, right_end);

            if (difference != 0)
                return difference;
            left++;
            right++;
        }
        /* Both stand at digits or at their ends, which no digit follows. */
        order = compare_numbers(left < left_end ? &left : &left_end,
                                right < right_end ? &right : &right_end);
        if (order != 0)
            return order;
    }
    return 0;
}

static const char *last_dash(const char *text)
{
    const char *dash = strrchr(text, '-');

    return dash != NULL ? dash : text + strlen(text);
}

int version_compare_deb(const char *left, const char *right)
{
    const char *left_dash;
    const char *right_dash;
    int order = compare_epochs(&left, &right);

    if (order != 0)
        return order;
    left_dash = last_dash(left);
    right_dash = last_dash(right);
    order = compare_deb_part(left, left_dash, right, right_dash);
    if (order != 0)
        return order;
    left = *left_dash == '-' ? left_dash + 1 : left_dash;
    right = *right_dash == '-' ? right_dash + 1 : right_dash;
    return compare_deb_part(left, left + strlen(left), right, right + strlen(right));
}

static const char *skip_separators(const char *text)
{
    while (*text != '\0' && !is_digit(*text) && !is_letter(*text) && *text != '~' && *text != '^')
        text++;
    return text;
}

static size_t letters(const char *text)
{
    size_t length = 0;

    while (is_letter(text[length]))
        length++;
    return length;
}

static int compare_rpm_part(const char *left, const char *right)
{
    while (*left != '\0' || *right != '\0') {
        int order;

        left = skip_separators(left);
        right = skip_separators(right);
        /* A tilde is before anything, even the end; a caret after the end and before the rest. */
        if (*left == '~' || *right == '~') {
            if (*left != *right)
                return *left == '~' ? -1 : 1;
        } else if (*left == '^' || *right == '^') {
            if (*left != '^')
                return *left == '\0' ? -1 : 1;
            if (*right != '^')
                return *right == '\0' ? 1 : -1;
        } else {
            if (*left == '\0' || *right == '\0')
                return *left != '\0' ? 1 : *right != '\0' ? -1 : 0;
            /* A number is newer than letters. */
            if (is_digit(*left) != is_digit(*right))
                return is_digit(*left) ? 1 : -1;
            order = is_digit(*left) ? compare_numbers(&left, &right)
                                    : compare_texts(&left, letters(left), &right, letters(right));
            if (order != 0)
                return order;
            continue;
        }
        left++;
        right++;
    }
    return 0;
}

/* The text up to `end`, copied to `storage`; cut off if it does not fit. */
static const char *cut(const char *text, const char *end, char *storage, size_t size)
{
    size_t length = (size_t)(end - text);

    if (length >= size)
        length = size - 1;
    memcpy(storage, text, length);
    storage[length] = '\0';
    return storage;
}

int version_compare_rpm(const char *left, const char *right)
{
    char left_version[256];
    char right_version[256];
    const char *left_dash;
    const char *right_dash;
    int order = compare_epochs(&left, &right);

    if (order != 0)
        return order;
    left_dash = last_dash(left);
    right_dash = last_dash(right);
    order = compare_rpm_part(cut(left, left_dash, left_version, sizeof(left_version)),
                             cut(right, right_dash, right_version, sizeof(right_version)));
    if (order != 0)
        return order;
    /* Without a release on either side there is nothing more to compare. */
    if (*left_dash == '\0' || *right_dash == '\0')
        return 0;
    return compare_rpm_part(left_dash + 1, right_dash + 1);
}

/* Reads a suffix. Its number is its place in apk's order; below 0 is older than no suffix at all.
 */
static int apk_suffix(const char **text)
{
    static const char *const names[] = {"alpha", "beta", "pre", "rc", "",
                                        "cvs",   "svn",  "git", "hg", "p"};

    for (int i = (int)(sizeof(names) / sizeof(names[0])) - 1; i >= 0; i--) {
        size_t length = strlen(names[i]);

        if (length > 0 && strncmp((*text) + 1, names[i], length) == 0) {
            *text += 1 + length;
            return i - 4;
        }
    }
    return 0;
}

/* Numbers after the first that begin with 0 are compared as fractions are. */
static int compare_apk_number(const char **left, const char **right, bool is_first)
{
    if (is_first || (**left != '0' && **right != '0'))
        return compare_numbers(left, right);
    return compare_texts(left, digits(*left), right, digits(*right));
}

static int compare_apk_suffixes(const char **left, const char **right)
{
    while (**left == '_' || **right == '_') {
        int left_suffix = **left == '_' ? apk_suffix(left) : 0;
        int right_suffix = **right == '_' ? apk_suffix(right) : 0;
        int order;

        if (left_suffix != right_suffix)
            return left_suffix < right_suffix ? -1 : 1;
        if (left_suffix == 0)
            return 0;
        order = compare_numbers(left, right);
        if (order != 0)
            return order;
    }
    return 0;
}

int version_compare_apk(const char *left, const char *right)
{
    bool is_first = true;
    int order;

    for (;;) {
        order = compare_apk_number(&left, &right, is_first);
        is_first = false;
        if (order != 0)
            return order;
        if (*left != '.' || *right != '.')
            break;
        left++;
        right++;
    }
    /* More numbers are newer. */
    if (*left == '.' || *right == '.')
        return *left == '.' ? 1 : -1;
    if (is_letter(*left) || is_letter(*right)) {
        if (*left != *right)
            return (is_letter(*left) ? *left : 0) - (is_letter(*right) ? *right : 0);
        left++;
        right++;
    }
    order = compare_apk_suffixes(&left, &right);
    if (order != 0)
        return order;
    left += strncmp(left, "-r", 2) == 0 ? 2 : 0;
    right += strncmp(right, "-r", 2) == 0 ? 2 : 0;
    return compare_numbers(&left, &right);
}
