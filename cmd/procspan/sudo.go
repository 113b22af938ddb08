package main

import (
	"fmt"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// sudoUser returns the user who called sudo, as a credential and with the
// environment that is that user's: HOME, USER and LOGNAME set, sudo's own
// variables gone. Without sudo, or when not root, the credential is nil and
// env stays as it is.
func sudoUser(euid int, env []string) (*syscall.Credential, []string, error) {
	uidText, gidText := variable(env, "SUDO_UID"), variable(env, "SUDO_GID")
	if euid != 0 || uidText == "" || uidText == "0" {
		return nil, env, nil
	}
	uid, err := strconv.ParseUint(uidText, 10, 32)
	if err != nil {
		return nil, nil, fmt.Errorf("find the user who called sudo: SUDO_UID is %q, which is no user id; use --keep-root to run the command as root", uidText)
	}
	gid, err := strconv.ParseUint(gidText, 10, 32)
	if err != nil {
		return nil, nil, fmt.Errorf("find the user who called sudo: SUDO_GID is %q, which is no group id; use --keep-root to run the command as root", gidText)
	}
	who, groups, err := lookup(uidText)
	if err != nil {
		return nil, nil, fmt.Errorf("find the user who called sudo: %w; use --keep-root to run the command as root", err)
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: groups}
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasPrefix(name, "SUDO_") || name == "HOME" || name == "USER" || name == "LOGNAME"
	})
	env = append(env, "HOME="+who.HomeDir, "USER="+who.Username, "LOGNAME="+who.Username)
	return credential, env, nil
}

// lookup finds a user and its groups: in the files that this static binary
// reads itself, else through the system's name service (LDAP, SSSD, …), asked
// by the commands that every distribution has for it.
func lookup(uid string) (*user.User, []uint32, error) {
	who, err := user.LookupId(uid)
	if err != nil {
		out, getentErr := exec.Command("getent", "passwd", uid).Output()
		fields := strings.Split(strings.TrimSpace(string(out)), ":")
		if getentErr != nil || len(fields) != 7 {
			return nil, nil, err
		}
		who = &user.User{Username: fields[0], Uid: fields[2], Gid: fields[3], HomeDir: fields[5]}
	}
	out, err := exec.Command("id", "-G", who.Username).Output()
	if err != nil {
		return nil, nil, fmt.Errorf("find the groups of %s: id -G: %w", who.Username, err)
	}
	var groups []uint32
	for _, text := range strings.Fields(string(out)) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, nil, fmt.Errorf("find the groups of %s: id -G says %q", who.Username, out)
		}
		groups = append(groups, uint32(id))
	}
	return who, groups, nil
}

func variable(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
