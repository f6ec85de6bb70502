/* The Docker Engine API versions that davitd speaks. */
#ifndef DAVIT_SUPERVISOR_HTTP_VERSION_H
#define DAVIT_SUPERVISOR_HTTP_VERSION_H

#define API_VERSION "1.43"
#define API_VERSION_MIN "1.24"
#define API_MINOR 43
#define API_MINOR_MIN 24

#endif
