package bpf

//go:generate go tool bpf2go -go-package bpf -target bpfel -no-global-types -cflags "-O2 -g -Wall -Wextra -Werror -Wno-unused-parameter" -type wire_header -type wire_groups -type wire_credentials -type wire_namespaces -type wire_usage -type wire_fork -type wire_exec -type wire_exit -type wire_name -type wire_snapshot -type wire_kind -type wire_flag -type wire_loss procspan procspan.bpf.c
