/* The columns of ps(1) that lists of processes have, and the options that choose them. */
#ifndef DAVIT_SUPERVISOR_SPAWN_PROCESS_COLUMNS_H
#define DAVIT_SUPERVISOR_SPAWN_PROCESS_COLUMNS_H

#include <stdint.h>

#include "base/error.h"

#define PROCESS_COLUMNS_MAX 32

enum process_column {
    COLUMN_UID, /* the user's name, as in ps -f */
    COLUMN_USER,
    COLUMN_UID_NUMBER,
    COLUMN_GID,
    COLUMN_PID,
    COLUMN_PPID,
    COLUMN_PGID,
    COLUMN_SID,
    COLUMN_C,
    COLUMN_CPU,
    COLUMN_MEMORY,
    COLUMN_VSZ,
    COLUMN_RSS,
    COLUMN_SIZE,
    COLUMN_TTY,
    COLUMN_TT,
    COLUMN_STATE,
    COLUMN_STAT,
    COLUMN_PRIORITY,
    COLUMN_NICE,
    COLUMN_THREADS,
    COLUMN_PROCESSOR,
    COLUMN_STIME,
    COLUMN_START,
    COLUMN_ELAPSED,
    COLUMN_TIME,
    COLUMN_COMM,
    COLUMN_CMD,
    COLUMN_COMMAND,
    COLUMN_ARGS,
    COLUMN_COUNT,
};

struct process_columns {
    uint8_t items[PROCESS_COLUMNS_MAX]; /* enum process_column */
    uint32_t count;
};

/* The column's title. */
const char *process_column_title(enum process_column column);

/* Reads "-ef", "aux", "-o pid,comm" and their like; NULL and "" are "-ef". What chooses processes,
 * or lays out the text, is refused by name. */
int process_columns_parse(const char *arguments, struct process_columns *columns,
                          struct error *err);

#endif
