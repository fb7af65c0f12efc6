/* A server of lines: every line comes back. A thread for each connection. With -DFLAW_SIGPIPE it leaves SIGPIPE as it is, which
   ends the process at the first write to a client that is gone. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A line that is longer ends its connection. */
#define LONGEST (1 << 21)

static int write_all(int socket, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(socket, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

/* Bytes up to the end of the last whole line. */
static size_t whole(const char *bytes, size_t count)
{
    while (count > 0 && bytes[count - 1] != '\n')
        count--;
    return count;
}

static void *serve(void *argument)
{
    int socket = (int)(intptr_t)argument;
    size_t room = 4096, held = 0;
    char *bytes = malloc(room);
    while (bytes != NULL) {
        if (held == room) {
            char *more = room < LONGEST ? realloc(bytes, 2 * room) : NULL;
            if (more == NULL)
                break;
            bytes = more;
            room *= 2;
        }
        ssize_t came = read(socket, bytes + held, room - held);
        if (came < 0 && errno == EINTR)
            continue;
        if (came <= 0)
            break;
        held += (size_t)came;
        size_t lines = whole(bytes, held);
        if (write_all(socket, bytes, lines) < 0)
            break;
        memmove(bytes, bytes + lines, held - lines);
        held -= lines;
    }
    free(bytes);
    close(socket);
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: %s PORT\n", arguments[0]);
        return 2;
    }
#ifndef FLAW_SIGPIPE
    signal(SIGPIPE, SIG_IGN);
#endif
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(arguments[1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, SOMAXCONN) < 0) {
        perror("listen");
        return 1;
    }
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, 64 << 10);
    for (;;) {
        int socket = accept(listener, NULL, NULL);
        pthread_t thread;
        if (socket < 0)
            usleep(50000); /* EMFILE fails again at once. */
        else if (pthread_create(&thread, &detached, serve, (void *)(intptr_t)socket) != 0)
            close(socket);
    }
}
