/* Reading ahead: see ahead.h. A ring of buffers between one thread that fills and one that takes.
 */
#include "ahead.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define SLOT_BYTES (256 << 10)
#define SLOT_COUNT 8

struct slot {
    size_t length;
    char bytes[SLOT_BYTES];
};

struct ahead {
    ssize_t (*read)(void *source, void *bytes, size_t size, struct error *err);
    void *source;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t has_changed;
    /* Under the lock: how far each side is; slot i lies in slots[i % SLOT_COUNT]. */
    size_t filled;
    size_t taken;
    bool runs;
    bool is_over;
    bool is_stopped;
    int result; /* with is_over */
    struct error err;
    /* Used by the taking side alone: how far it has read in its slot. */
    size_t offset;
    struct slot slots[SLOT_COUNT];
};

/* False when the taking side wants no more. */
static bool await_room(struct ahead *ahead)
{
    bool goes_on;

    pthread_mutex_lock(&ahead->lock);
    while (!ahead->is_stopped && ahead->filled - ahead->taken == SLOT_COUNT)
        pthread_cond_wait(&ahead->has_changed, &ahead->lock);
    goes_on = !ahead->is_stopped;
    pthread_mutex_unlock(&ahead->lock);
    return goes_on;
}

static void publish_fill(struct ahead *ahead, size_t filled, bool is_over, int result)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->runs = true;
    ahead->filled += filled;
    ahead->is_over = is_over;
    ahead->result = result;
    pthread_cond_broadcast(&ahead->has_changed);
    pthread_mutex_unlock(&ahead->lock);
}

/* Fills the whole slot, so that small reads do not each wake the other side. */
static ssize_t fill_slot(struct ahead *ahead, struct slot *slot)
{
    ssize_t count = 1;

    slot->length = 0;
    while (count > 0 && slot->length < SLOT_BYTES) {
        count = ahead->read(ahead->source, slot->bytes + slot->length, SLOT_BYTES - slot->length,
                            &ahead->err);
        if (count > 0)
            slot->length += (size_t)count;
    }
    return count;
}

static void *fill_slots(void *context)
{
    struct ahead *ahead = context;

    publish_fill(ahead, 0, false, 0);
    while (await_room(ahead)) {
        struct slot *slot = &ahead->slots[ahead->filled % SLOT_COUNT];
        ssize_t count = fill_slot(ahead, slot);

        publish_fill(ahead, slot->length > 0 ? 1 : 0, count <= 0, count < 0 ? (int)count : 0);
        if (count <= 0)
            break;
    }
    return NULL;
}

struct ahead *ahead_start(ssize_t (*read)(void *source, void *bytes, size_t size,
                                          struct error *err),
                          void *source, struct error *err)
{
    struct ahead *ahead = memory_new_one(struct ahead);
    int code;

    ahead->read = read;
    ahead->source = source;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->has_changed, NULL);
    code = pthread_create(&ahead->thread, NULL, fill_slots, ahead);
    if (code != 0) {
        error_errno(err, code, "start a thread");
        free(ahead);
        return NULL;
    }
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->runs)
        pthread_cond_wait(&ahead->has_changed, &ahead->lock);
    pthread_mutex_unlock(&ahead->lock);
    return ahead;
}

/* The slot to take from, or NULL at the end. */
static const struct slot *await_slot(struct ahead *ahead)
{
    bool has_one;

    pthread_mutex_lock(&ahead->lock);
    while (ahead->filled == ahead->taken && !ahead->is_over)
        pthread_cond_wait(&ahead->has_changed, &ahead->lock);
    has_one = ahead->filled != ahead->taken;
    pthread_mutex_unlock(&ahead->lock);
    return has_one ? &ahead->slots[ahead->taken % SLOT_COUNT] : NULL;
}

static void give_back(struct ahead *ahead)
{
    ahead->offset = 0;
    pthread_mutex_lock(&ahead->lock);
    ahead->taken++;
    pthread_cond_broadcast(&ahead->has_changed);
    pthread_mutex_unlock(&ahead->lock);
}

ssize_t ahead_read(struct ahead *ahead, void *bytes, size_t size, struct error *err)
{
    const struct slot *slot = await_slot(ahead);

    if (slot == NULL && ahead->result < 0 && err != NULL)
        *err = ahead->err;
    if (slot == NULL)
        return ahead->result;
    if (size > slot->length - ahead->offset)
        size = slot->length - ahead->offset;
    memcpy(bytes, slot->bytes + ahead->offset, size);
    ahead->offset += size;
    if (ahead->offset == slot->length)
        give_back(ahead);
    return (ssize_t)size;
}

void ahead_stop(struct ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->is_stopped = true;
    pthread_cond_broadcast(&ahead->has_changed);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    pthread_cond_destroy(&ahead->has_changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}
