package scenario

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Of linux/connector.h and linux/cn_proc.h.
const (
	cnIndexProc   = 1
	cnValueProc   = 1
	cnListen      = 1
	cnHeaderSize  = 20 // struct cn_msg
	cnEventSize   = 16 // struct proc_event up to event_data
	cnEventAck    = 0
	cnEventFork   = 1
	cnEventExec   = 2
	cnEventExit   = 0x80000000
	connectorRoom = 64 << 20
)

// connector is a Witness by the proc connector: a netlink message for each
// fork, exec and exit of a thread. Nothing is lost unnoticed: the kernel says
// so when the socket has no room, and numbers the messages of each CPU.
type connector struct {
	fd   int
	done chan struct{} // closed when receive has returned

	mu     sync.Mutex
	living map[int]Death // what is known of them by now
	deaths []Death
	seq    map[uint32]uint32 // by CPU
	err    error
	ready  chan struct{} // closed when the kernel has agreed to send
}

// NewConnector listens to the proc connector.
func NewConnector() (Witness, error) {
	c := &connector{done: make(chan struct{}), ready: make(chan struct{}), living: make(map[int]Death), seq: make(map[uint32]uint32)}
	if err := c.open(); err != nil {
		return nil, fmt.Errorf("listen to the proc connector: %w", err)
	}
	go c.receive()
	select {
	case <-c.ready:
		return c, nil
	case <-c.done:
		return nil, errors.Join(fmt.Errorf("listen to the proc connector: %w", c.err), unix.Close(c.fd))
	case <-time.After(patience):
		return nil, errors.Join(errors.New("listen to the proc connector: no answer"), c.Close())
	}
}

func (c *connector) open() (err error) {
	c.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_CONNECTOR)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return errors.Join(err, errors.ErrUnsupported)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unix.Close(c.fd))
		}
	}()
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, connectorRoom); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	// Bounds how long Close waits for receive.
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		return err
	}
	if err := unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIndexProc}); err != nil {
		return err
	}
	const size = unix.NLMSG_HDRLEN + cnHeaderSize + 4
	order := binary.NativeEndian
	m := make([]byte, 0, size)
	m = order.AppendUint32(m, size) // nlmsghdr
	m = order.AppendUint16(m, unix.NLMSG_DONE)
	m = append(m, make([]byte, 10)...)
	m = order.AppendUint32(m, cnIndexProc) // cn_msg
	m = order.AppendUint32(m, cnValueProc)
	m = append(m, make([]byte, 8)...)
	m = order.AppendUint16(m, 4)
	m = append(m, 0, 0)
	m = order.AppendUint32(m, cnListen)
	err = unix.Sendto(c.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if errors.Is(err, unix.ECONNREFUSED) { // CONFIG_PROC_EVENTS=n
		return errors.Join(err, errors.ErrUnsupported)
	}
	return err
}

func (c *connector) receive() {
	defer close(c.done)
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		c.mu.Lock()
		switch {
		case err == nil:
			c.take(buf[:n])
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) && c.err == nil:
			c.err = fmt.Errorf("receive from the proc connector: %w", err) // ENOBUFS: messages were lost
		}
		stop := c.err != nil
		c.mu.Unlock()
		if stop {
			return
		}
	}
}

// take reads one message: nlmsghdr, cn_msg, proc_event.
func (c *connector) take(m []byte) {
	order := binary.NativeEndian
	if len(m) < unix.NLMSG_HDRLEN+cnHeaderSize+cnEventSize+16 {
		c.err = fmt.Errorf("receive from the proc connector: %d bytes", len(m))
		return
	}
	seq := order.Uint32(m[unix.NLMSG_HDRLEN+8:])
	event := m[unix.NLMSG_HDRLEN+cnHeaderSize:]
	what, cpu, data := order.Uint32(event), order.Uint32(event[4:]), event[cnEventSize:]
	if what == cnEventAck {
		if errno := unix.Errno(order.Uint32(data)); errno != 0 {
			c.err = fmt.Errorf("the kernel refuses: %w", errno)
			return
		}
		select {
		case <-c.ready: // another listener's
		default:
			close(c.ready)
		}
		return
	}
	if last, ok := c.seq[cpu]; ok && seq != last+1 {
		c.err = fmt.Errorf("the proc connector lost messages: CPU %d went from %d to %d", cpu, last, seq)
		return
	}
	c.seq[cpu] = seq
	field := func(i int) int { return int(order.Uint32(data[4*i:])) }
	switch {
	case what == cnEventFork && len(data) >= 16 && field(2) == field(3):
		c.living[field(3)] = Death{PID: field(3), ParentPID: field(1)}
	case what == cnEventExec:
		d := c.living[field(1)]
		d.Execed = true
		c.living[field(1)] = d
	case what == cnEventExit && field(0) == field(1):
		// The message names the parent too, but not when that one was quicker.
		d := c.living[field(1)]
		d.PID, d.Status = field(1), unix.WaitStatus(field(2))
		c.deaths = append(c.deaths, d)
		delete(c.living, field(1))
	}
}

// Deaths tells of first threads; of a process with others it may tell too
// early, and another status.
func (c *connector) Deaths() ([]Death, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.deaths), c.err
}

func (c *connector) Close() error {
	c.mu.Lock()
	if c.err == nil {
		c.err = errors.New("the proc connector's witness is closed")
	}
	c.mu.Unlock()
	<-c.done
	return unix.Close(c.fd)
}
