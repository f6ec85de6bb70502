/* Programs of a cgroup (bpf(2)). See internal.h. */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "internal.h"

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    long result = syscall(SYS_bpf, command, attributes, sizeof(*attributes));

    return result < 0 ? -errno : (int)result;
}

int cgroup_program_load(const struct cgroup_program *program)
{
    union bpf_attr attributes;

    memset(&attributes, 0, sizeof(attributes));
    attributes.prog_type = program->type;
    attributes.expected_attach_type = program->attach_type;
    attributes.insns = (uintptr_t)program->instructions;
    attributes.insn_cnt = (uint32_t)program->count;
    attributes.license = (uintptr_t) "Apache-2.0";
    memcpy(attributes.prog_name, program->name, strnlen(program->name, BPF_OBJ_NAME_LEN - 1));
    return bpf(BPF_PROG_LOAD, &attributes);
}

/* The program attached now, -1 if there is none. */
static int attached_program(int cgroup_fd, enum bpf_attach_type type)
{
    union bpf_attr attributes;
    uint32_t ids[8] = {0};

    memset(&attributes, 0, sizeof(attributes));
    attributes.query.target_fd = (uint32_t)cgroup_fd;
    attributes.query.attach_type = type;
    attributes.query.prog_ids = (uintptr_t)ids;
    attributes.query.prog_cnt = ARRAY_SIZE(ids);
    if (bpf(BPF_PROG_QUERY, &attributes) < 0 || attributes.query.prog_cnt == 0)
        return -1;
    memset(&attributes, 0, sizeof(attributes));
    attributes.prog_id = ids[0];
    return bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
}

int cgroup_program_attach(int cgroup_fd, enum bpf_attach_type type, int program_fd)
{
    cleanup_close int old_fd = attached_program(cgroup_fd, type);
    union bpf_attr attributes;

    memset(&attributes, 0, sizeof(attributes));
    attributes.target_fd = (uint32_t)cgroup_fd;
    attributes.attach_bpf_fd = (uint32_t)program_fd;
    attributes.attach_type = type;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (old_fd >= 0) {
        /* Replacing leaves no moment in which both or neither would hold. */
        attributes.attach_flags |= BPF_F_REPLACE;
        attributes.replace_bpf_fd = (uint32_t)old_fd;
    }
    return bpf(BPF_PROG_ATTACH, &attributes);
}
