package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/test/harness"
)

// Exit codes of a container that has none of its own.
const (
	exitCannotStart = 128
	exitKilled      = 137
)

// command is a container ready to be started.
type command struct {
	container corev1.Container
	path      string
	args      []string
	env       []string
	dir       string
	log       string // the file its output goes to
}

// run runs a pod's containers to their end and reports what came of them. The
// context's end is the pod's deletion: then nothing is reported any more.
func (p *pod) run(ctx context.Context, seen *corev1.Pod, commands []command) {
	initial := len(seen.Spec.InitContainers)
	for _, c := range commands[:initial] {
		state := p.runOne(ctx, seen, c)
		if ctx.Err() != nil {
			return
		}
		if state.ExitCode != 0 {
			p.report(ctx, seen, func(s *corev1.PodStatus) {
				p.waits(seen, s, corev1.ContainerStateWaiting{Reason: "PodInitializing"})
				s.InitContainerStatuses = []corev1.ContainerStatus{containerStatus(c.container, corev1.ContainerState{Terminated: &state})}
				p.ends(s, corev1.PodFailed)
			})
			return
		}
	}
	p.report(ctx, seen, func(s *corev1.PodStatus) { p.runs(seen, s) })
	states := make([]corev1.ContainerStateTerminated, len(commands)-initial)
	var group sync.WaitGroup
	for i, c := range commands[initial:] {
		group.Go(func() { states[i] = p.runOne(ctx, seen, c) })
	}
	group.Wait()
	p.report(ctx, seen, func(s *corev1.PodStatus) {
		p.runs(seen, s)
		phase := corev1.PodSucceeded
		for i := range states {
			s.ContainerStatuses[i].State = corev1.ContainerState{Terminated: &states[i]}
			if states[i].ExitCode != 0 {
				phase = corev1.PodFailed
			}
		}
		p.ends(s, phase)
	})
}

// report writes the status until the API server has it, or the pod is deleted.
func (p *pod) report(ctx context.Context, seen *corev1.Pod, change func(*corev1.PodStatus)) {
	for ctx.Err() == nil && !p.write(ctx, seen, change) {
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// runOne runs one container, again after a failure where the pod asks for that.
func (p *pod) runOne(ctx context.Context, seen *corev1.Pod, c command) corev1.ContainerStateTerminated {
	for {
		state := p.once(ctx, seen, c)
		restart := seen.Spec.RestartPolicy == corev1.RestartPolicyAlways ||
			(seen.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && state.ExitCode != 0)
		if !restart || ctx.Err() != nil {
			return state
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// once runs a container once.
func (p *pod) once(ctx context.Context, seen *corev1.Pod, c command) corev1.ContainerStateTerminated {
	state := corev1.ContainerStateTerminated{StartedAt: metav1.Now(), Reason: "Completed", ContainerID: "stand-in://" + c.container.Name}
	out, err := openLog(c.log)
	if err != nil {
		return cannotStart(state, err)
	}
	defer out.Close()
	grace := 30 * time.Second
	if seconds := seen.Spec.TerminationGracePeriodSeconds; seconds != nil {
		grace = max(time.Duration(*seconds)*time.Second, 100*time.Millisecond)
	}
	code, err := p.k.stage.Run(ctx, harness.Command{
		Name: strings.Join([]string{seen.Namespace, seen.Name, c.container.Name}, "_"),
		Path: c.path, Args: c.args, Env: c.env, Dir: c.dir, Stdout: out, Stderr: out, Grace: grace,
	})
	state.FinishedAt = metav1.Now()
	switch {
	case code == 0 && err == nil:
		return state
	case code > 0:
		state.ExitCode, state.Reason = int32(code), "Error"
	case ctx.Err() == nil && errors.Is(err, os.ErrNotExist):
		return cannotStart(state, err)
	default: // a signal ended it
		state.ExitCode, state.Reason = exitKilled, "Error"
	}
	if c.container.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
		state.Message = out.tail()
	}
	return state
}

func cannotStart(state corev1.ContainerStateTerminated, err error) corev1.ContainerStateTerminated {
	state.ExitCode, state.Reason, state.Message, state.FinishedAt = exitCannotStart, "StartError", err.Error(), metav1.Now()
	return state
}

// prepare makes the pod's volumes, and of its containers commands. What is
// missing in the cluster is an error, and may come.
func (p *pod) prepare(ctx context.Context, seen *corev1.Pod) ([]command, error) {
	dir := p.k.podDir(seen)
	volumes := map[string]string{}
	for _, v := range seen.Spec.Volumes {
		folder := filepath.Join(dir, "volumes", v.Name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		if err := p.fill(ctx, seen, v, folder); err != nil {
			return nil, fmt.Errorf("make volume %s: %w", v.Name, err)
		}
		volumes[v.Name] = folder
	}
	var commands []command
	for _, c := range containers(seen) {
		cmd, err := p.command(ctx, seen, c, volumes)
		if err != nil {
			return nil, fmt.Errorf("make container %s: %w", c.Name, err)
		}
		commands = append(commands, cmd)
	}
	return commands, nil
}

// command is a container's process: variables expanded as Kubernetes does, and
// mount paths replaced by the folders that stand for them.
func (p *pod) command(ctx context.Context, seen *corev1.Pod, c corev1.Container, volumes map[string]string) (command, error) {
	if len(c.Command) == 0 {
		return command{}, fmt.Errorf("expected a command: the image %s has none here", c.Image)
	}
	dir := p.k.podDir(seen)
	cmd := command{container: c, dir: filepath.Join(dir, "work"), log: filepath.Join(dir, c.Name+".log")}
	if err := os.MkdirAll(cmd.dir, 0o700); err != nil {
		return cmd, err
	}
	vars, err := p.variables(ctx, seen, c)
	if err != nil {
		return cmd, err
	}
	mounts := newMounts(c, volumes)
	path, _ := p.k.programs(c.Image)
	cmd.env = []string{"PATH=" + path, "HOSTNAME=" + seen.Name, "HOME=" + cmd.dir, "TMPDIR=" + cmd.dir}
	for _, v := range vars.list {
		cmd.env = append(cmd.env, v.name+"="+mounts.replace(v.value))
	}
	words := make([]string, 0, len(c.Command)+len(c.Args))
	for _, word := range append(append([]string{}, c.Command...), c.Args...) {
		words = append(words, mounts.replace(vars.expand(word)))
	}
	cmd.path, cmd.args = lookUp(words[0], path), words[1:]
	return cmd, nil
}

// lookUp finds a program as a shell would; one that is not there fails when it
// is started.
func lookUp(name, path string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, folder := range filepath.SplitList(path) {
		file := filepath.Join(folder, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return name
}

func (k *Kubelet) podDir(seen *corev1.Pod) string {
	return k.stage.Path("pods", seen.Namespace+"_"+seen.Name+"_"+string(seen.UID))
}
