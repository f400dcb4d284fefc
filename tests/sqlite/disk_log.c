/*
 * Preloaded into a process: writes into the log DISK_LOG what the process does to the files below the directory
 * DISK_LOG_OF, and when it asks for them to be on the disk and is told that they are. disk_log.py makes of that what a
 * power cut leaves. Nothing is really synced; it only takes a moment, as on a disk.
 *
 * An operation is logged before it is done, the end of a sync after it, so that what another process does in
 * consequence comes later in the log, too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 1024
#define SYNC_TAKES 200 /* microseconds */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static char *paths[FILES]; /* of the files that are logged, by descriptor */

struct record {
    uint32_t kind, process, path_length, reserved;
    uint64_t offset, data_length;
};

static void tell(char kind, const char *path, uint64_t offset, const void *data, size_t length)
{
    static int file = -1;
    if (file < 0)
        file = REAL(open64)(getenv("DISK_LOG"), O_WRONLY | O_APPEND | O_CLOEXEC);
    struct record record = {(uint32_t)kind, (uint32_t)getpid(), (uint32_t)strlen(path), 0, offset, length};
    struct iovec parts[] = {{&record, sizeof record}, {(void *)path, record.path_length}, {(void *)data, length}};
    size_t whole = sizeof record + record.path_length + length;
    if (writev(file, parts, 3) != (ssize_t)whole)
        abort();
}

/* The absolute path, or NULL for one that is not logged. */
static const char *logged(const char *path, char *absolute)
{
    const char *of = getenv("DISK_LOG_OF");
    size_t length = of ? strlen(of) : 0;
    if (!of || !path || strncmp(path, of, length) || (path[length] && path[length] != '/'))
        return NULL;
    return strcpy(absolute, path);
}

static const char *path_of(int file)
{
    return file >= 0 && file < FILES ? paths[file] : NULL;
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    char absolute[PATH_MAX];
    const char *known = logged(path, absolute);
    struct stat status;
    int makes = known && (flags & O_CREAT) && stat(path, &status) != 0;
    if (makes)
        tell('c', known, 0, NULL, 0);
    int file = REAL(open64)(path, flags, mode);
    if (file >= 0 && file < FILES) {
        free(paths[file]);
        paths[file] = known ? strdup(known) : NULL;
    }
    return file;
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return open64(path, flags, mode);
}

int close(int file)
{
    if (path_of(file)) {
        free(paths[file]);
        paths[file] = NULL;
    }
    return REAL(close)(file);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset)
{
    if (path_of(file))
        tell('w', path_of(file), (uint64_t)offset, data, length);
    return REAL(pwrite64)(file, data, length, offset);
}

int ftruncate64(int file, off64_t length)
{
    if (path_of(file))
        tell('t', path_of(file), (uint64_t)length, NULL, 0);
    return REAL(ftruncate64)(file, length);
}

static int sync_file(int file)
{
    tell('s', path_of(file), 0, NULL, 0);
    usleep(SYNC_TAKES);
    tell('S', path_of(file), 0, NULL, 0);
    return 0;
}

int fdatasync(int file)
{
    return path_of(file) ? sync_file(file) : REAL(fdatasync)(file);
}

int fsync(int file)
{
    return path_of(file) ? sync_file(file) : REAL(fsync)(file);
}

int unlink(const char *path)
{
    char absolute[PATH_MAX];
    struct stat status;
    if (logged(path, absolute) && stat(path, &status) == 0)
        tell('u', absolute, 0, NULL, 0);
    return REAL(unlink)(path);
}

int rename(const char *path, const char *new_path)
{
    char absolute[PATH_MAX];
    if (logged(path, absolute))
        tell('r', absolute, 0, new_path, strlen(new_path));
    return REAL(rename)(path, new_path);
}

int mkdir(const char *path, mode_t mode)
{
    char absolute[PATH_MAX];
    struct stat status;
    if (logged(path, absolute) && stat(path, &status) != 0)
        tell('m', absolute, 0, NULL, 0);
    return REAL(mkdir)(path, mode);
}
