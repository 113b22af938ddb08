package jobs

// whatIfJob is a job with pieces of work whose times are variables: cc1 is how
// long one call of ./cc takes. @NAME@ is replaced by its value in files and in
// the command.
type whatIfJob struct {
	name     string
	brief    bool // it is a part of the short form
	files    map[string]string
	programs string
	command  []string
	vars     map[string]string
	changes  []string
}

// objects is a makefile of six objects and a link.
var objects = map[string]string{"Makefile": `
all: 1 2 3 4 5 6 ; ./ld @ld@
1: ; ./cc @cc1@
2: ; ./cc @cc2@
3: ; ./cc @cc3@
4: ; ./cc @cc4@
5: ; ./cc @cc5@
6: ; ./cc @cc6@
`}

var whatIfJobs = []*whatIfJob{
	{
		name: "serial", brief: true, files: script("./a @a@; ./b @b@; ./c @c@"), programs: "a b c", command: []string{"./job"},
		vars:    map[string]string{"a": "0.15", "b": "0.25", "c": "0.1"},
		changes: []string{"process a", "process b", "command b"},
	},
	{
		name: "pipeline, the first is slow", brief: true, files: script("./slow @slow@ | cat | cat; ./after @after@"), programs: "slow after", command: []string{"./job"},
		vars:    map[string]string{"slow": "0.3", "after": "0.15"},
		changes: []string{"process slow", "command slow", "process after"},
	},
	{
		name: "pipeline, the last is slow", files: script("cat </dev/null | ./slow @slow@; ./after @after@"), programs: "slow after", command: []string{"./job"},
		vars:    map[string]string{"slow": "0.3", "after": "0.15"},
		changes: []string{"process slow", "process after"},
	},
	{
		name: "background with wait", brief: true, files: script("./back @back@ & ./fore @fore@; wait; ./after @after@"), programs: "back fore after", command: []string{"./job"},
		vars:    map[string]string{"back": "0.4", "fore": "0.25", "after": "0.1"},
		changes: []string{"process back", "command back"},
	},
	{
		name: "make -j2", brief: true, files: objects, programs: "cc ld", command: []string{"make", "-j@jobs@"},
		vars:    map[string]string{"jobs": "2", "cc1": "0.1", "cc2": "0.15", "cc3": "0.2", "cc4": "0.08", "cc5": "0.03", "cc6": "0.13", "ld": "0.12"},
		changes: []string{"process cc2", "process ld", "command cc", "slots 1", "slots 4"},
	},
	{
		name: "make -j1", files: objects, programs: "cc ld", command: []string{"make", "-j@jobs@"},
		vars:    map[string]string{"jobs": "1", "cc1": "0.08", "cc2": "0.1", "cc3": "0.11", "cc4": "0.05", "cc5": "0.06", "cc6": "0.09", "ld": "0.07"},
		changes: []string{"process cc3", "slots 2", "slots 4"},
	},
	{
		name: "make -j4 with a long job at the end", files: objects, programs: "cc ld", command: []string{"make", "-j@jobs@"},
		vars:    map[string]string{"jobs": "4", "cc1": "0.1", "cc2": "0.12", "cc3": "0.11", "cc4": "0.15", "cc5": "0.13", "cc6": "0.4", "ld": "0.05"},
		changes: []string{"process cc6", "command cc", "slots 1", "slots 2"},
	},
	{
		name: "make with dependencies", programs: "gen cc lint ld", command: []string{"make", "-j@jobs@"},
		files: map[string]string{"Makefile": `
all: 1 2 3 ; ./ld @ld@
0: ; ./gen @gen@
1 2: 0
1: ; ./cc @cc1@
2: ; ./cc @cc2@
3: ; ./lint @lint@
`},
		vars:    map[string]string{"jobs": "4", "gen": "0.2", "cc1": "0.15", "cc2": "0.12", "lint": "0.25", "ld": "0.1"},
		changes: []string{"process gen", "process cc1", "command cc", "process ld", "slots 1", "slots 2"},
	},
	{
		name: "nested make", brief: true, programs: "cc ar ld", command: []string{"make", "-j@jobs@"},
		files: map[string]string{
			"Makefile": "all: x y ; ./ld @ld@\nx y: ; +$(MAKE) -f $@.mk\n",
			"x.mk":     "all: 1 2 ; ./ar @ar1@\n1: ; ./cc @cc1@\n2: ; ./cc @cc2@\n",
			"y.mk":     "all: 3 4 ; ./ar @ar2@\n3: ; ./cc @cc3@\n4: ; ./cc @cc4@\n",
		},
		vars:    map[string]string{"jobs": "2", "cc1": "0.1", "cc2": "0.15", "cc3": "0.2", "cc4": "0.12", "ar1": "0.04", "ar2": "0.05", "ld": "0.06"},
		changes: []string{"process cc3", "process ld", "command cc", "slots 1", "slots 4"},
	},
	{
		name: "makes one after the other", programs: "cc ld test", command: []string{"./job"},
		files: map[string]string{
			"job":      "#!/bin/sh\nmake -j@jobs@ one\nmake -j@jobs@ two\n./test @test@\n",
			"Makefile": "one: 1 2 3\ntwo: 4 ; ./ld @ld@\n1: ; ./cc @cc1@\n2: ; ./cc @cc2@\n3: ; ./cc @cc3@\n4: ; ./cc @cc4@\n",
		},
		vars:    map[string]string{"jobs": "2", "cc1": "0.1", "cc2": "0.12", "cc3": "0.11", "cc4": "0.08", "ld": "0.09", "test": "0.1"},
		changes: []string{"process test", "process cc4", "command cc", "slots 1", "slots 4"},
	},
	{
		name: "xargs -P2", programs: "task", command: []string{"xargs", "-a", "list", "-P@jobs@", "-n1", "./task"},
		files:   map[string]string{"list": "@task1@ @task2@ @task3@ @task4@"},
		vars:    map[string]string{"jobs": "2", "task1": "0.1", "task2": "0.25", "task3": "0.2", "task4": "0.12"},
		changes: []string{"process task2", "command task", "slots 1", "slots 4"},
	},
	{
		name: "ninja -j2", programs: "cc ld", command: []string{"ninja", "-j@jobs@"},
		files: map[string]string{"build.ninja": `
rule cc
  command = ./cc $time
rule ld
  command = ./ld @ld@
build 1: cc
  time = @cc1@
build 2: cc
  time = @cc2@
build 3: cc
  time = @cc3@
build all: ld 1 2 3
`},
		vars:    map[string]string{"jobs": "2", "cc1": "0.1", "cc2": "0.25", "cc3": "0.2", "ld": "0.1"},
		changes: []string{"process cc3", "process ld", "command cc", "slots 1", "slots 4"},
	},
	{
		name: "threads that wait", programs: "threads a b c", command: []string{"./threads", "./a @a@", "./b @b@", "./c @c@"},
		vars:    map[string]string{"a": "0.2", "b": "0.5", "c": "0.35"},
		changes: []string{"process b", "command b"},
	},
	{
		name: "work on the CPU, one after the other", files: script("./burn @burn1@; ./burn @burn2@; ./rest @rest@"), programs: "burn rest", command: []string{"./job"},
		vars:    map[string]string{"burn1": "0.15", "burn2": "0.1", "rest": "0.15"},
		changes: []string{"process burn1", "command burn", "process rest"},
	},
	{
		name: "work on the CPU, two at once", programs: "burn ld", command: []string{"make", "-j@jobs@"},
		files:   map[string]string{"Makefile": "all: 1 2 3 4 ; ./ld @ld@\n1: ; ./burn @burn1@\n2: ; ./burn @burn2@\n3: ; ./burn @burn3@\n4: ; ./burn @burn4@\n"},
		vars:    map[string]string{"jobs": "2", "burn1": "0.1", "burn2": "0.12", "burn3": "0.14", "burn4": "0.08", "ld": "0.1"},
		changes: []string{"process burn3", "process ld", "slots 1", "slots 4"},
	},
}
