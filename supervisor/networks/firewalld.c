/* firewalld, by D-Bus: see firewalld.h. */
#include "firewalld.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/log.h"

#define SERVICE "org.fedoraproject.FirewallD1"
#define OBJECT "/org/fedoraproject/FirewallD1"
#define ZONES "org.fedoraproject.FirewallD1.zone"
#define ZONE "trusted"
#define AGAIN_US 1000000
#define ATTEMPTS_MAX 30 /* while it starts it may not be there yet, when it has ended it is not */
#define PATIENCE 3
#define CALL_US 20000000 /* it answers nobody while it loads its rules */
#define BRIDGES_MAX 4
#define NAME_SIZE 24

struct firewalld {
    struct networks *networks;
    sd_bus *bus;            /* while there is a question */
    sd_event_source *timer; /* the next time */
    size_t waiting;         /* questions under way */
    bool is_due;            /* something has changed since */
    bool has_failed;
    unsigned int attempts; /* since something has changed */
    bool was_told;         /* that it fails */
    char names[BRIDGES_MAX][NAME_SIZE];
    size_t count;
};

static void ask_for_zones(struct firewalld *firewalld);

static int on_due(sd_event_source *source, uint64_t usec, void *context)
{
    struct firewalld *firewalld = context;

    (void)source;
    (void)usec;
    firewalld->timer = sd_event_source_disable_unref(firewalld->timer);
    if (firewalld->is_due)
        ask_for_zones(firewalld);
    return 0;
}

static void end_question(struct firewalld *firewalld)
{
    if (--firewalld->waiting > 0)
        return;
    firewalld->bus = sd_bus_close_unref(firewalld->bus);
    if (firewalld->has_failed && ++firewalld->attempts < ATTEMPTS_MAX)
        firewalld->is_due = true;
    if (firewalld->timer == NULL)
        sd_event_add_time_relative(firewalld->networks->loop, &firewalld->timer, CLOCK_MONOTONIC,
                                   AGAIN_US, 0, on_due, firewalld);
}

static void note_failure(struct firewalld *firewalld, const char *reason)
{
    firewalld->has_failed = true;
    /* While it starts it answers nobody. */
    if (firewalld->was_told || firewalld->attempts < PATIENCE)
        return;
    log_warning("firewalld does not take davit's bridges (%s): containers reach nobody outside "
                "unless a zone of its lets davit0 and dv-+ through",
                reason);
    firewalld->was_told = true;
}

static void note_success(struct firewalld *firewalld)
{
    firewalld->was_told = false;
    log_info("firewalld: davit's bridges are in its zone " ZONE ": what goes through them davit "
             "decides");
}

static int on_changed(sd_bus_message *answer, void *context, sd_bus_error *error)
{
    struct firewalld *firewalld = context;
    const sd_bus_error *said = sd_bus_message_get_error(answer);

    (void)error;
    if (said != NULL)
        note_failure(firewalld, said->message != NULL ? said->message : said->name);
    else
        note_success(firewalld);
    end_question(firewalld);
    return 0;
}

/* One call that takes texts, a NULL at their end; firewalld is not started for it. */
static int call_zones(struct firewalld *firewalld, const char *method,
                      sd_bus_message_handler_t handler, void *context, const char *const *texts)
{
    sd_bus_message *message = NULL;
    int result =
        sd_bus_message_new_method_call(firewalld->bus, &message, SERVICE, OBJECT, ZONES, method);

    if (result >= 0)
        result = sd_bus_message_set_auto_start(message, false);
    for (; result >= 0 && *texts != NULL; texts++)
        result = sd_bus_message_append(message, "s", *texts);
    if (result >= 0)
        result = sd_bus_call_async(firewalld->bus, NULL, message, handler, context, CALL_US);
    sd_bus_message_unref(message);
    return result;
}

/* Which of the names a question is about. */
struct question {
    struct firewalld *firewalld;
    size_t index;
};

static int on_zone(sd_bus_message *answer, void *context, sd_bus_error *error)
{
    struct question *question = context;
    struct firewalld *firewalld = question->firewalld;
    const sd_bus_error *said = sd_bus_message_get_error(answer);
    const char *texts[] = {ZONE, firewalld->names[question->index], NULL};
    const char *zone = NULL;
    int result;

    (void)error;
    free(question);
    if (said != NULL) {
        note_failure(firewalld, said->message != NULL ? said->message : said->name);
        end_question(firewalld);
        return 0;
    }
    result = sd_bus_message_read(answer, "s", &zone);
    if (result >= 0 && zone[0] == '\0') {
        result = call_zones(firewalld, "changeZoneOfInterface", on_changed, firewalld, texts);
        if (result >= 0)
            return 0;
    }
    if (result < 0)
        note_failure(firewalld, strerror(-result));
    end_question(firewalld);
    return 0;
}

static int open_bus(struct firewalld *firewalld)
{
    int result = sd_bus_new(&firewalld->bus);

    if (result >= 0)
        result = sd_bus_set_address(firewalld->bus, "unix:path=/run/dbus/system_bus_socket");
    if (result >= 0)
        result = sd_bus_set_bus_client(firewalld->bus, true);
    if (result >= 0)
        result = sd_bus_start(firewalld->bus);
    if (result >= 0)
        result = sd_bus_attach_event(firewalld->bus, firewalld->networks->loop, 0);
    return result;
}

static void ask_for_zones(struct firewalld *firewalld)
{
    int result = open_bus(firewalld);

    firewalld->is_due = firewalld->has_failed = false;
    firewalld->waiting = 1;
    for (size_t i = 0; result >= 0 && i < firewalld->count; i++) {
        struct question *question = memory_new_one(struct question);
        const char *texts[] = {firewalld->names[i], NULL};

        *question = (struct question){firewalld, i};
        result = call_zones(firewalld, "getZoneOfInterface", on_zone, question, texts);
        if (result < 0)
            free(question);
        else
            firewalld->waiting++;
    }
    if (result < 0)
        note_failure(firewalld, strerror(-result));
    end_question(firewalld);
}

void firewalld_bind(struct networks *networks, const char *const *bridges, size_t count)
{
    struct firewalld *firewalld = networks->host_firewall.firewalld;

    if (firewalld == NULL) {
        firewalld = networks->host_firewall.firewalld = memory_new_one(struct firewalld);
        firewalld->networks = networks;
        for (; firewalld->count < count && firewalld->count < BRIDGES_MAX; firewalld->count++) {
            char *name = firewalld->names[firewalld->count];

            strncpy(name, bridges[firewalld->count], NAME_SIZE - 1);
            if (name[strlen(name) - 1] == '*')
                name[strlen(name) - 1] = '+';
        }
    }
    firewalld->is_due = true;
    firewalld->attempts = 0;
    if (firewalld->waiting == 0 && firewalld->timer == NULL)
        ask_for_zones(firewalld);
}
