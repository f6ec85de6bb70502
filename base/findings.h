/* What was found on the disk that is not as it should be, and what has been done about it. */
#ifndef DAVIT_BASE_FINDINGS_H
#define DAVIT_BASE_FINDINGS_H

#include "json_table.h"

/* How far a look at the disk goes. Each step does what those before it do. */
enum repair {
    REPAIR_LOOK,  /* changes nothing */
    REPAIR_MEND,  /* takes back what can be taken back; loses nothing */
    REPAIR_PRUNE, /* removes what cannot */
};

struct finding {
    const char *path;    /* below davitd's root */
    const char *problem; /* what is wrong */
    const char *remedy;  /* what mends it, for people */
    const char *done;    /* what was done; NULL: nothing */
};

/* Zeroed is empty. */
struct findings {
    struct arena arena;
    LIST_OF(struct finding) list;
};

extern const struct json_struct finding_type;

/* The texts are constants, or lie in the arena. The result is valid until the next is added. */
struct finding *findings_add(struct findings *findings, const char *path, const char *problem,
                             const char *remedy);
void findings_release(struct findings *findings);

#endif
