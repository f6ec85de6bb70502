/* Shared by the files of cgroups/ only. */
#ifndef DAVIT_CGROUPS_INTERNAL_H
#define DAVIT_CGROUPS_INTERNAL_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

/* The bit of a controller's name, 0 if davit does not use it. */
unsigned int cgroup_controller_by_name(const char *name, size_t length);

/* Reads cgroup.controllers or cgroup.subtree_control. */
int cgroup_read_controllers(int fd, const char *file, unsigned int *mask);

/* The number behind "key " in a flat-keyed file. Returns 0 or a negative errno. */
int cgroup_read_key(int fd, const char *file, const char *key, uint64_t *value);

struct cgroup_program {
    const char *name;
    enum bpf_prog_type type;
    enum bpf_attach_type attach_type; /* where the type has several */
    const struct bpf_insn *instructions;
    size_t count;
};

/* Loads the program. Returns its descriptor or a negative errno. */
int cgroup_program_load(const struct cgroup_program *program);

/* Attaches the program in place of the one that is attached as `type` now. Returns 0 or a negative
 * errno. */
int cgroup_program_attach(int cgroup_fd, enum bpf_attach_type type, int program_fd);

#endif
