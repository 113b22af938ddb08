/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Loops. The verifier checks an inlined or static loop body again for each iteration
 * and each state it may begin in; it checks a function that is not static once, for
 * any argument. So the bodies of long loops are such functions: they take numbers
 * only, find their state in a map, and return a step.
 *
 * Kernels before 5.15 also refuse a layout that clang gives to loops with inlined
 * bodies (a back-edge that falls through).
 */
#ifndef PROCSPAN_LOOP_H
#define PROCSPAN_LOOP_H

enum step {
	GO_ON,
	AT_END,
	CUT, /* no end within the bounds, or unreadable */
};

#endif
