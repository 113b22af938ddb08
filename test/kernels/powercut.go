package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// diskSize is the size of the disk whose power is cut, in bytes.
const diskSize = 64 << 20

// cutPower boots a guest on a disk with a volatile write cache again and again. The
// guest checks that everything is there that the previous guest acknowledged, then
// writes until its power is cut: QEMU is killed, and the disk loses a random part of
// its cache. cutPower returns an error when anything is missing.
func cutPower(ctx context.Context, o options, cache, work string) error {
	m, err := newMachine(ctx, cache, work)
	if err != nil {
		return err
	}
	seed := uint64(time.Now().UnixNano())
	fmt.Printf("cutting the power %d times, seed %d\n", o.cuts, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	if err := m.showLoss(ctx, o, random); err != nil {
		return err
	}
	acknowledged, unflushed := 0, 0
	durable := map[string]string{}
	for cut := range o.cuts + 1 {
		lines := -1 // the last guest only checks
		if cut < o.cuts {
			lines = 1 + random.IntN(400)
			if cut%3 == 2 { // it acknowledges far less often
				lines = 1 + lines/100
			}
		}
		got, err := m.run(ctx, o, boot{cut: cut, lines: lines, delay: time.Duration(random.IntN(200)) * time.Millisecond}, durable)
		if err != nil {
			return fmt.Errorf("after power cut %d of seed %d: %w", cut, seed, err)
		}
		writes := m.disk.cut(random)
		acknowledged += got
		unflushed += writes
		if lines > 0 {
			fmt.Printf("power cut %d: %v are durable; %d writes were in the disk's cache\n", cut+1, durable, writes)
		}
	}
	fmt.Printf("%d power cuts, %d acknowledgements, %d writes in the disk's cache: nothing is missing\n", o.cuts, acknowledged, unflushed)
	return nil
}

// showLoss shows that a loss is seen: a guest that acknowledges what it has not
// synced must fail.
func (m *machine) showLoss(ctx context.Context, o options, random *rand.Rand) error {
	durable := map[string]string{}
	if _, err := m.run(ctx, o, boot{lines: 200, lies: true}, durable); err != nil {
		return err
	}
	m.disk.cut(random)
	_, err := m.run(ctx, o, boot{lines: -1}, durable)
	if err == nil || !strings.Contains(err.Error(), "is missing") {
		return fmt.Errorf("a guest that does not sync: got %v, want a record missing of %v", err, durable)
	}
	fmt.Println("without fsync:", err)
	m.disk.cut(random)
	return nil
}

// boot describes one run of the guest.
type boot struct {
	cut   int
	lines int           // how many acknowledgements it may print; -1: it only checks
	delay time.Duration // until its power is cut after that
	lies  bool          // it acknowledges what is not synced
}

// machine is the guest, its disk and what it is booted from.
type machine struct {
	kernel             kernel
	vmlinuz, initramfs string
	disk               *disk
	socket             string
}

func newMachine(ctx context.Context, cache, work string) (*machine, error) {
	// In 6.12 ext4 is built in, and there is one module to load.
	m := &machine{socket: filepath.Join(work, "disk.socket"), kernel: kernelNamed("6.12")}
	var err error
	if m.vmlinuz, err = fetch(ctx, cache, work, m.kernel); err != nil {
		return nil, err
	}
	deb, err := cached(filepath.Join(cache, m.kernel.name))
	if err != nil {
		return nil, err
	}
	module := filepath.Join(work, "virtio_blk.ko.xz")
	if err := unpack(ctx, deb, virtioBlk, module); err != nil {
		return nil, err
	}
	driver, err := os.ReadFile(module)
	if err != nil {
		return nil, err
	}
	init, err := build(ctx, filepath.Join(work, "writer"), m.kernel.arch, []string{"build", "./test/kernels/writer"})
	if err != nil {
		return nil, err
	}
	var archive cpio
	for _, dir := range []string{"dev", "disk", "proc"} {
		archive.add(dir, 0o040755, nil)
	}
	archive.add("init", 0o100755, init)
	archive.add("virtio_blk.ko.xz", 0o100644, driver)
	m.initramfs = filepath.Join(work, "initramfs-writer")
	if err := os.WriteFile(m.initramfs, archive.bytes(), 0o644); err != nil {
		return nil, err
	}
	image := filepath.Join(work, "disk")
	if err := os.WriteFile(image, make([]byte, diskSize), 0o644); err != nil {
		return nil, err
	}
	if err := command(ctx, "", "mkfs.ext4", "-q", "-F", image); err != nil {
		return nil, fmt.Errorf("%w; on Debian: apt-get install e2fsprogs", err)
	}
	contents, err := os.ReadFile(image)
	m.disk = newDisk(contents)
	return m, err
}

// run boots the guest, which checks what is durable, and cuts its power. What it
// acknowledges goes into durable.
func (m *machine) run(ctx context.Context, o options, b boot, durable map[string]string) (acknowledged int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	listener, err := net.Listen("unix", m.socket)
	if err != nil {
		return 0, err
	}
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = m.disk.serve(conn)
		}
		served <- err
	}()
	defer func() {
		listener.Close()
		<-served // the client was killed
	}()
	// After every other cut, a file can be longer than what of it is on the disk.
	write := []string{"all", "all", "lazily"}[b.cut%3]
	if b.lines < 0 {
		write = "nothing"
	}
	args := []string{"data=" + []string{"ordered", "writeback"}[b.cut%2], "write=" + write, fmt.Sprintf("lie=%t", b.lies)}
	for what, n := range durable {
		args = append(args, what+"="+n)
	}
	cmd := exec.CommandContext(ctx, m.kernel.arch.qemu, append([]string{
		"-accel", "tcg", "-m", "256", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio",
		"-drive", "file.driver=nbd,file.server.type=unix,file.server.path=" + m.socket + ",format=raw,if=virtio,cache=writeback",
		"-kernel", m.vmlinuz, "-initrd", m.initramfs, "-append", m.kernel.arch.boot + " quiet panic=-1 -- " + strings.Join(args, " "),
	}, m.kernel.arch.args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	acknowledged, err = follow(out, o.verbose, b, durable, cancel)
	waited := cmd.Wait()
	if err == nil && b.lines < 0 {
		err = waited
	}
	return acknowledged, err
}

// follow reads what the guest prints, and kills it after its last acknowledgement. Those
// that it prints until it is dead count.
func follow(out io.Reader, verbose bool, b boot, durable map[string]string, kill func()) (acknowledged int, err error) {
	var other bytes.Buffer
	checked := false
	for in := bufio.NewReader(out); ; {
		line, failed := in.ReadString('\n')
		if failed != nil { // the rest is no whole line
			if !checked && err == nil {
				err = fmt.Errorf("the guest ended before it had checked its disk:\n%s", &other)
			}
			return acknowledged, err
		}
		if verbose {
			fmt.Print("| ", line)
		}
		switch words := strings.Fields(line); {
		case len(words) == 3 && words[0] == "DURABLE":
			durable[words[1]] = words[2]
			if checked {
				acknowledged++
			}
			if checked && acknowledged == b.lines {
				time.AfterFunc(b.delay, kill)
			}
		case len(words) == 1 && words[0] == "CHECKED":
			checked = true
		case len(words) > 0 && words[0] == "FAILED":
			err = errors.New(strings.TrimSpace(line))
			kill()
		default:
			other.WriteString(line)
		}
	}
}
