/* base/file.h: limits hold, replacement is whole or not at all, and errors name the path. */
#include "tests/unit/base/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char directory[64];

static int setup(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test-file-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "chmod -R u+w %s && rm -rf %s", directory, directory);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static size_t entries(void)
{
    DIR *listing = opendir(directory);
    size_t count = 0;
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count - 2;
}

static void written_files_read_back(void **state)
{
    (void)state;
    struct error err = {0};
    struct buffer content = {0};
    assert_int_equal(file_write_atomic(path_of("a"), SPAN_LITERAL("one\0two"), &err), STATUS_OK);
    assert_int_equal(file_write_atomic(path_of("a"), SPAN_LITERAL("three\0four"), &err), STATUS_OK);
    assert_int_equal(file_read(path_of("a"), 10, &content, &err), STATUS_OK);
    assert_true(span_equal(buffer_span(&content), SPAN_LITERAL("three\0four")));
    assert_int_equal(content.data[content.bytes], '\0');
    assert_int_equal(entries(), 1);
    buffer_free(&content);
}

static void large_files_read_back(void **state)
{
    (void)state;
    struct error err = {0};
    struct buffer content = {0}, read = {0};
    for (int i = 0; i < 300000; i++)
        buffer_add_u8(&content, (uint8_t)(i * 7));
    assert_int_equal(file_write_atomic(path_of("large"), buffer_span(&content), &err), STATUS_OK);
    assert_int_equal(file_read(path_of("large"), 300000, &read, &err), STATUS_OK);
    assert_true(span_equal(buffer_span(&content), buffer_span(&read)));
    assert_int_equal(file_read(path_of("large"), 299999, &read, &err), STATUS_LIMIT);
    assert_non_null(strstr(err.text, "299999 bytes"));
    assert_int_equal(read.bytes, 0);
    buffer_free(&content);
    buffer_free(&read);
}

static void empty_files_read_as_empty(void **state)
{
    (void)state;
    struct error err = {0};
    struct buffer content = {0};
    assert_int_equal(file_write_atomic(path_of("empty"), SPAN_NULL, &err), STATUS_OK);
    assert_int_equal(file_read(path_of("empty"), 0, &content, &err), STATUS_OK);
    assert_int_equal(content.bytes, 0);
    assert_string_equal(content.data, "");
    buffer_free(&content);
}

static void failures_name_path_and_reason(void **state)
{
    (void)state;
    struct error err = {0};
    struct buffer content = {0};
    assert_int_equal(file_read(path_of("none"), 10, &content, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, path_of("none")));
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(file_read(directory, 10, &content, &err), STATUS_IO);
    assert_int_equal(file_write_atomic(path_of("none/b"), SPAN_LITERAL("x"), &err), STATUS_NOT_FOUND);
    assert_int_equal(file_write_atomic("/dev/full/x", SPAN_LITERAL("x"), &err), STATUS_IO);
    buffer_free(&content);
}

/* The target is a directory, so the rename fails when everything else is done. */
static void failed_writes_leave_nothing(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(mkdir(path_of("taken"), 0777), 0);
    assert_int_not_equal(file_write_atomic(path_of("taken"), SPAN_LITERAL("x"), &err), STATUS_OK);
    assert_int_equal(entries(), 1);
}

static void permissions_follow_the_umask(void **state)
{
    (void)state;
    struct error err = {0};
    struct stat found;
    mode_t before = umask(027);
    assert_int_equal(file_write_atomic(path_of("mode"), SPAN_LITERAL("x"), &err), STATUS_OK);
    umask(before);
    assert_int_equal(stat(path_of("mode"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0640);
}

/* As root, `--out /dev/null` must not put a file in the device's place. */
static void links_and_devices_stay_what_they_are(void **state)
{
    (void)state;
    struct error err = {0};
    struct stat found;
    struct buffer content = {0};
    assert_int_equal(symlink("/dev/null", path_of("null")), 0);
    assert_int_equal(file_write_atomic(path_of("null"), SPAN_LITERAL("x"), &err), STATUS_OK);
    assert_int_equal(lstat(path_of("null"), &found), 0);
    assert_true(S_ISLNK(found.st_mode));
    assert_int_equal(symlink("/dev/full", path_of("full")), 0);
    assert_int_equal(file_write_atomic(path_of("full"), SPAN_LITERAL("x"), &err), STATUS_IO);
    assert_int_equal(file_write_atomic(path_of("target"), SPAN_LITERAL("old"), &err), STATUS_OK);
    assert_int_equal(symlink("target", path_of("link")), 0);
    assert_int_equal(file_write_atomic(path_of("link"), SPAN_LITERAL("new"), &err), STATUS_OK);
    assert_int_equal(file_read(path_of("target"), 10, &content, &err), STATUS_OK);
    assert_string_equal(content.data, "new");
    assert_int_equal(entries(), 4);
    buffer_free(&content);
}

static void directories_are_made_with_their_parents(void **state)
{
    (void)state;
    struct error err = {0};
    struct stat found;
    assert_int_equal(file_make_directories(path_of("x//y/z/"), &err), STATUS_OK);
    assert_int_equal(file_make_directories(path_of("x/y/z"), &err), STATUS_OK);
    assert_int_equal(stat(path_of("x/y/z"), &found), 0);
    assert_true(S_ISDIR(found.st_mode));
    assert_int_equal(file_write_atomic(path_of("plain"), SPAN_LITERAL("x"), &err), STATUS_OK);
    assert_int_equal(file_make_directories(path_of("plain/y"), &err), STATUS_IO);
    assert_int_equal(file_make_directories("", &err), STATUS_NOT_FOUND);
}

/* Whoever else may have written the file, or could swap it, is not believed. */
static void private_files_are_our_own(void **state)
{
    (void)state;
    struct error err = {0};
    struct stat found;
    struct buffer content = {0};
    char root[300], inner[300];
    snprintf(root, sizeof root, "%s", path_of("root"));
    snprintf(inner, sizeof inner, "%s", path_of("root/a/file"));
    assert_int_equal(mkdir(root, 0700), 0);
    assert_int_equal(mkdir(path_of("root/a"), 0755), 0);
    assert_int_equal(file_write_private(inner, SPAN_LITERAL("x"), &err), STATUS_OK);
    assert_int_equal(stat(inner, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(file_read_private(root, inner, 10, &content, &err), STATUS_OK);
    assert_string_equal(content.data, "x");
    assert_int_equal(file_read_private(root, path_of("root/a/none"), 10, &content, &err), STATUS_NOT_FOUND);
    assert_int_equal(file_check_private(root, &err), STATUS_OK);

    assert_int_equal(file_write_atomic(path_of("outside"), SPAN_LITERAL("y"), &err), STATUS_OK);
    assert_int_equal(file_read_private(root, path_of("outside"), 10, &content, &err), STATUS_DENIED);
    assert_int_equal(file_read_private(root, path_of("root/../outside"), 10, &content, &err), STATUS_DENIED);
    assert_int_equal(symlink("../../outside", path_of("root/a/link")), 0);
    assert_int_equal(file_read_private(root, path_of("root/a/link"), 10, &content, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "symbolic link"));
    assert_int_equal(symlink("a", path_of("root/b")), 0);
    assert_int_equal(file_read_private(root, path_of("root/b/file"), 10, &content, &err), STATUS_DENIED);

    const char *const loose[] = {inner, "a", root};
    for (size_t i = 0; i < 3; i++) {
        const char *path = i == 1 ? path_of("root/a") : loose[i];
        mode_t mode = i ? 0770 : 0620;
        assert_int_equal(chmod(path, mode), 0);
        assert_int_equal(file_read_private(root, inner, 10, &content, &err), STATUS_DENIED);
        assert_non_null(strstr(err.text, "may be written by others"));
        assert_int_equal(chmod(i == 1 ? path_of("root/a") : loose[i], i ? 0700 : 0600), 0);
    }
    if (geteuid() == 0) { /* only root can make a file another user's */
        assert_int_equal(chown(inner, 65534, 65534), 0);
        assert_int_equal(file_read_private(root, inner, 10, &content, &err), STATUS_DENIED);
        assert_non_null(strstr(err.text, "belongs to another user"));
    }
    assert_int_equal(content.bytes, 0);
    buffer_free(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(written_files_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(large_files_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_files_read_as_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_name_path_and_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_writes_leave_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(permissions_follow_the_umask, setup, teardown),
        cmocka_unit_test_setup_teardown(links_and_devices_stay_what_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(private_files_are_our_own, setup, teardown),
        cmocka_unit_test_setup_teardown(directories_are_made_with_their_parents, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
