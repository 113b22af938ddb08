package scenario

import "golang.org/x/sys/unix"

// scenarios has every scenario by its name.
func scenarios() map[string]func(*scene) {
	return map[string]func(*scene){
		"exit 0":                exitWith(0),
		"exit 1":                exitWith(1),
		"exit 255":              exitWith(255),
		"exit 256":              exitWith(256),
		"die by TERM":           dieBy(unix.SIGTERM),
		"die by KILL":           dieBy(unix.SIGKILL),
		"die with core":         dieWithCore,
		"leader leaves":         leaderLeaves,
		"last thread exits":     lastThreadExits,
		"exit among threads":    exitAmongThreads,
		"killed without leader": killedWithoutLeader,
		"last threads":          lastThreads,

		"exec from thread":    execFromThread,
		"exec without leader": execWithoutLeader,
		"exec thrice":         execThrice,
		"vfork exec":          vforkExec,
		"fork only":           forkOnly,
		"failed exec":         failedExec,
		"failed reexec":       failedReexec,

		"script":              script,
		"script by env":       scriptByEnv,
		"script of directory": scriptOfDirectory,
		"strange name":        strangeName,
		"symlink":             symlink,
		"deleted later":       deletedLater,
		"deleted before":      deletedBefore,
		"memfd":               memfd,
		"setuid":              setuid,

		"many arguments":    withArgs(manyArgs(100, 100<<10)...),
		"one long argument": withArgs("long", manyArgs(1, 100<<10)[0]),
		"strange arguments": withArgs("not \xff UTF-8 \xc3\x28", "", "a\nb\tc", "\xf0\x9f\x90\xa7", "\xed\xa0\x80"),
		"no arguments":      withoutArgs,

		"subshell":         subshell,
		"daemon":           daemon,
		"daemon of reaper": daemonOfReaper,
		"clone parent":     cloneParent,
		"fork from thread": forkFromThread,
		"older":            older,

		"chroot":            chroot,
		"mount namespace":   mountNamespace,
		"pivot root":        pivotRoot,
		"namespaces":        namespaces,
		"deep directory":    deepDirectory(40),
		"deepest directory": deepDirectory(120),
		"root directory":    rootDirectory,
		"removed directory": removedDirectory,

		"setsid before exec":  setsidBeforeExec,
		"setsid after exec":   setsidAfterExec,
		"setsid without exec": setsidWithoutExec,
		"jobs":                jobs(true),
		"jobs unattended":     jobs(false),
		"cgroups":             cgroups,
		"born in cgroup":      bornInCgroup,

		"environments": environments,
		"environment":  environment,
		"env":          env,

		"brief":         brief,
		"many children": manyChildren,

		"pid namespace": pidNamespace,
		"pid again":     pidAgain,

		"credentials":         credentials,
		"change of user":      changeOfUser,
		"job":                 job(true),
		"job unattended":      job(false),
		"container":           container(true),
		"brief container":     container(false),
		"modest":              modest,
		"modest threads":      modestThreads,
		"killed":              killed,
		"killed by a fork":    killedByFork,
		"killed in a thread":  killedInThread,
		"killed later":        killedLater,
		"killed at last":      killedAtLast,
		"killed before":       killedBefore,
		"killed by orphaning": killedByOrphaning,
		"killed by SEGV":      killedBySEGV,
		"die by PIPE":         dieByPipe,
		"die by terminal":     dieByTerminal,
		"out of memory":       outOfMemory,

		"lives":  lives,
		"worker": worker,
	}
}
