/* Named points at which a test build ends or freezes its process: FLAVOUR=faults (tests/system/faults.py). In every
 * other build a point is no code at all.
 *
 * FAILPOINT=NAME:COUNT[:kill|stop[:MICROSECONDS]] in the environment: when the point NAME is passed for the COUNT-th
 * time (by any thread), the process gets SIGKILL (or SIGSTOP), at once or so long after, which may be within the call
 * that follows. Anything else in the variable ends the process at its first point with status 2. */
#pragma once

#ifdef FAILPOINTS
void failpoint(const char *name);
#define FAILPOINT(name) failpoint(name)
#else
#define FAILPOINT(name) ((void)0)
#endif
