// Package proc runs one child process so that nothing of it is left behind: the child leads a process group of its own,
// signals go to the whole group, and what is still alive when the child ends is killed. A grandchild that holds the
// output pipe can't make the caller wait, and the child's exit code, signal and resource usage are reported as they were.
package proc

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Command says what to run.
type Command struct {
	// Args is the program and its arguments. Path is the program's file; if empty, Args[0] is looked up in this process's PATH.
	Path string
	Args []string
	Dir  string
	// Env is the whole environment; nil means this process's.
	Env []string
	// Output receives standard output and standard error through one pipe, in the order in which they were written.
	// A writer that fails loses the rest of the output; it doesn't disturb the child.
	Output io.Writer
	// Stderr, if set, receives standard error instead of Output.
	Stderr io.Writer
	// Files are inherited as descriptors 3, 4, ...
	Files []*os.File
	// Orphans makes this process adopt the child's orphaned descendants, as PID 1 does anyway: they are reaped as they
	// end, and killed with the child. It must not be set by a process that has other children at the same time, because
	// their exit status would be taken away from them. It has an effect on Linux only.
	Orphans bool
	// DieWithParent makes the kernel kill the child when this process dies. It has an effect on Linux only.
	DieWithParent bool
}

// Exit is how a process ended.
type Exit struct {
	// Code is the exit code; 128 + the signal's number for a process killed by a signal.
	Code int
	// Signal is the signal that killed it; 0 if none did.
	Signal syscall.Signal
	// Killed says that [Process.Kill] or [Process.Stop] sent SIGKILL.
	Killed bool
	// Wall is how long it ran, CPU its processor time and that of its descendants, PeakRSS the largest resident size, in
	// bytes, that one of these processes had. Linux starts counting PeakRSS with the size of the starting process.
	Wall, CPU time.Duration
	PeakRSS   int64
}

// Process is a started child.
type Process struct {
	cmd    *exec.Cmd
	output []*stream
	done   chan struct{}
	exit   Exit

	mu     sync.Mutex
	gone   bool // the child has ended; its group id may become another's
	killed bool

	// ward is what there is instead of cmd for a process that a keeper looks after.
	ward *ward
}

// Start starts a child. It ends by itself or by Stop or Kill; Done and Wait tell.
func Start(c Command) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("no command to start")
	}
	p := &Process{done: make(chan struct{})}
	if err := p.prepare(c); err != nil {
		return nil, err
	}
	started := make(chan error)
	go p.run(c.Orphans, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// prepare builds the command and its output pipes.
func (p *Process) prepare(c Command) error {
	path := c.Path
	if path == "" {
		found, err := exec.LookPath(c.Args[0])
		if err != nil {
			return err
		}
		path = found
	}
	p.cmd = &exec.Cmd{Path: path, Args: c.Args, Dir: c.Dir, Env: c.Env, ExtraFiles: c.Files}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.DieWithParent {
		dieWithParent(p.cmd.SysProcAttr)
	}
	return p.connect(c.Output, c.Stderr)
}

func (p *Process) connect(output, stderr io.Writer) error {
	if output != nil {
		s, err := newStream(output)
		if err != nil {
			return err
		}
		p.output = append(p.output, s)
		p.cmd.Stdout = s.write
		p.cmd.Stderr = s.write
	}
	if stderr != nil {
		s, err := newStream(stderr)
		if err != nil {
			p.closeOutput()
			return err
		}
		p.output = append(p.output, s)
		p.cmd.Stderr = s.write
	}
	return nil
}

// run starts the child and waits for it. It keeps its thread, because to the kernel "the parent died" means that the
// thread which started the child did.
func (p *Process) run(adopt bool, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if adopt {
		adoptOrphans()
	}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		p.closeOutput()
		started <- err
		return
	}
	for _, s := range p.output {
		s.copy()
	}
	var orphans *orphanage
	if adopt {
		orphans = openOrphanage(p.cmd.Process.Pid)
	}
	started <- nil
	p.finish(begin, orphans)
}

// finish waits for the child, ends what it left behind, and collects output and usage.
func (p *Process) finish(begin time.Time, orphans *orphanage) {
	pid := p.cmd.Process.Pid
	var state *os.ProcessState
	var err error
	// Between await and Wait the child is a zombie, so that its id, and its group's, can't be another's yet.
	zombie := await(pid)
	if !zombie {
		state, err = p.cmd.Process.Wait()
	}
	p.exit.Wall = time.Since(begin)
	p.mu.Lock()
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	p.gone = true
	p.exit.Killed = p.killed
	p.mu.Unlock()
	if zombie {
		state, err = p.cmd.Process.Wait()
	}
	p.exit.Code, p.exit.Signal = status(state, err)
	p.exit.CPU, p.exit.PeakRSS = usage(state)
	cpu, rss := orphans.close()
	p.exit.CPU += cpu
	p.exit.PeakRSS = max(p.exit.PeakRSS, rss)
	for _, s := range p.output {
		s.finish()
	}
	close(p.done)
}

func (p *Process) closeOutput() {
	for _, s := range p.output {
		s.close()
	}
}

// PID is the child's process id, and its group's; 0 if there is a keeper to know it.
func (p *Process) PID() int {
	if p.ward != nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Done is closed when the child has ended, its descendants are gone, and all output was written.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for Done and tells how the child ended.
func (p *Process) Wait() Exit {
	<-p.done
	return p.exit
}

// Signal sends a signal to the child's process group. A child that has ended already is no error.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil
	}
	if sig == syscall.SIGKILL {
		p.killed = true
	}
	if p.ward != nil {
		return p.ward.signal(sig)
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// Kill ends the group at once.
func (p *Process) Kill() { _ = p.Signal(syscall.SIGKILL) }

// Stop asks the group to end, and kills it if the child is still there after the grace time. It doesn't wait.
func (p *Process) Stop(grace time.Duration) {
	if p.ward != nil {
		go p.stop()
	} else {
		_ = p.Signal(syscall.SIGTERM)
	}
	timer := time.AfterFunc(grace, p.Kill)
	go func() {
		<-p.done
		timer.Stop()
	}()
}

func status(state *os.ProcessState, err error) (int, syscall.Signal) {
	if err != nil {
		return -1, 0
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), ws.Signal()
	}
	return state.ExitCode(), 0
}

func usage(state *os.ProcessState) (cpu time.Duration, rss int64) {
	if state == nil {
		return 0, 0
	}
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
		return rusage(ru)
	}
	return 0, 0
}

func rusage(ru *syscall.Rusage) (cpu time.Duration, rss int64) {
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), int64(ru.Maxrss) * rssUnit()
}
