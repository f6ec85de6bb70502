/* Egress rules, and the packets that they refuse. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "network/egress.h"
#include "network/packet_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct logged_packet packet = {0};
    struct egress_rule rule;
    char *text = malloc(size + 1);

    packet_parse(data, size, &packet);
    memcpy(text, data, size);
    text[size] = '\0';
    if (egress_rule_parse(text, &rule, NULL) == 0)
        egress_rule_matches(&rule, text);
    free(text);
    return 0;
}
