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

// sudoUser returns the credential and environment of the user who called sudo: HOME,
// USER and LOGNAME set, sudo's own variables removed. Without sudo, or when not root,
// it returns nil and env unchanged.
func sudoUser(euid int, env []string) (*syscall.Credential, []string, error) {
	uidText, gidText := variable(env, "SUDO_UID"), variable(env, "SUDO_GID")
	if euid != 0 || uidText == "" || uidText == "0" {
		return nil, env, nil
	}
	uid, err := strconv.ParseUint(uidText, 10, 32)
	if err != nil {
		return nil, nil, fmt.Errorf("find the user who called sudo: SUDO_UID is %q, not a user id; use --keep-root to run the command as root", uidText)
	}
	gid, err := strconv.ParseUint(gidText, 10, 32)
	if err != nil {
		return nil, nil, fmt.Errorf("find the user who called sudo: SUDO_GID is %q, not a group id; use --keep-root to run the command as root", gidText)
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

// lookup returns a user and its groups, from the files that this static binary can
// read, else from the system's name service (LDAP, SSSD, …) by getent and id.
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
			return nil, nil, fmt.Errorf("find the groups of %s: id -G printed %q", who.Username, out)
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
