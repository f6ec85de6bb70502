/*
 * ask ADDRESS PORT NAME SECONDS WINDOW: asks a server for A of NAME by UDP, with so many questions
 * under way, and prints how many were answered a second and how long that took: median and 99th of
 * a hundred, in milliseconds. In NAME each "#" is a digit that changes with each question.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 200
#define SAMPLES_MAX (1 << 22)

static float samples[SAMPLES_MAX];
static double asked_at[65536];

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t write_question(uint8_t *out, uint16_t id, const char *name, unsigned long number)
{
    size_t used = 12;

    memset(out, 0, 12);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    out[2] = 1; /* recursion */
    out[5] = 1; /* one question */
    while (*name != '\0') {
        size_t length = strcspn(name, ".");

        out[used++] = (uint8_t)length;
        for (size_t i = 0; i < length; i++) {
            out[used++] = name[i] == '#' ? (uint8_t)('0' + number % 10) : (uint8_t)name[i];
            if (name[i] == '#')
                number /= 10;
        }
        name += length + (name[length] == '.');
    }
    memcpy(out + used, "\0\0\1\0\1", 5);
    return used + 5;
}

static int compare(const void *one, const void *other)
{
    float difference = *(const float *)one - *(const float *)other;

    return difference < 0 ? -1 : difference > 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in server = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned long number = 0;
    size_t answered = 0;
    size_t waiting = 0;
    double begin = now();
    double end;

    if (argc != 6 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
        return 2;
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    if (connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0)
        return 1;
    for (end = begin + atof(argv[4]); now() < end;) {
        struct pollfd ready = {fd, POLLIN, 0};
        uint8_t message[1500];

        for (; waiting < (size_t)atoi(argv[5]); waiting++, number++) {
            asked_at[number & 0xffff] = now();
            if (send(fd, message, write_question(message, (uint16_t)number, argv[3], number), 0) <
                0)
                break;
        }
        /* What was dropped is not waited for. */
        if (poll(&ready, 1, PATIENCE_MS) <= 0)
            waiting = 0;
        while (recv(fd, message, sizeof(message), MSG_DONTWAIT) >= 12) {
            waiting -= waiting > 0;
            if ((message[3] & 15) == 0 && answered < SAMPLES_MAX)
                samples[answered++] =
                    (float)(1000 * (now() - asked_at[message[0] << 8 | message[1]]));
        }
    }
    qsort(samples, answered, sizeof(*samples), compare);
    printf("%.0f %.3f %.3f\n", (double)answered / (now() - begin), (double)samples[answered / 2],
           (double)samples[answered * 99 / 100]);
    return 0;
}
