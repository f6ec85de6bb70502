/* The order of versions, as the package managers define it. Each returns below, at or above zero as
 * strcmp(3) does. */
#ifndef DAVIT_CLI_VERSIONS_H
#define DAVIT_CLI_VERSIONS_H

/* deb-version(7) */
int version_compare_deb(const char *left, const char *right);
/* apk-package(5), "version" */
int version_compare_apk(const char *left, const char *right);
/* rpm-version(7) */
int version_compare_rpm(const char *left, const char *right);

#endif
