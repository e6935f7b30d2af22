// Package kubelet stands in for the kubelets of a control plane on a machine
// without containers. It registers nodes and keeps them Ready. A pod whose
// images it was given programs for is really run: its commands are processes of
// this machine, with the pod's environment, its volumes (ConfigMaps, Secrets,
// downward API, tokens from the TokenRequest API), its log, its exit code and
// its end when the pod is deleted. Any other pod is played: it becomes Running
// and Ready, or Succeeded when it is not to be restarted, and nothing runs.
//
// What is not there, since there are no containers: users, limits of memory and
// CPU, networks, probes, and a file system of the pod's own. A volume is a
// folder; its mount path is replaced by that folder's in command, arguments and
// environment. Tokens are not renewed.
package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/syncgate/syncgate/test/harness"
)

// Options say what a Kubelet has.
type Options struct {
	// Nodes are the names of its nodes. Default: node-1, node-2.
	Nodes []string
	// Images are the images whose pods are really run, without tag or digest:
	// the folders in which their programs are looked for, as PATH has them. An
	// image has no command of its own, so the pod must name one.
	Images map[string]string
	// Dir is the folder for volumes and logs, kept in the end. Default: a
	// temporary one.
	Dir string
}

// Kubelet runs the pods of its nodes.
type Kubelet struct {
	cp    *harness.ControlPlane
	opts  Options
	stage *harness.Stage
	logs  *http.Server
	port  int32

	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	pods    map[types.UID]*pod
	refused map[string]corev1.ContainerStateWaiting
	lastIP  int
}

// Start registers the nodes and begins to run pods. They are scheduled once a
// controller has taken the taint of new nodes off (see
// harness.ControlPlane.StartControllers). It runs until Stop.
func Start(ctx context.Context, cp *harness.ControlPlane, opts Options) (*Kubelet, error) {
	if len(opts.Nodes) == 0 {
		opts.Nodes = []string{"node-1", "node-2"}
	}
	stage, err := harness.NewStage(opts.Dir)
	if err != nil {
		return nil, err
	}
	k := &Kubelet{
		cp: cp, opts: opts, stage: stage, cancel: func() {},
		pods: map[types.UID]*pod{}, refused: map[string]corev1.ContainerStateWaiting{},
	}
	if err := k.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start kubelet of %s: %w", cp.Name, err), k.Stop())
	}
	return k, nil
}

func (k *Kubelet) start(ctx context.Context) error {
	if err := k.serveLogs(ctx); err != nil {
		return err
	}
	if err := k.register(ctx); err != nil {
		return err
	}
	// The context is that of the start; the kubelet lives until Stop.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k.cancel = cancel
	k.tasks.Go(func() { k.renewLeases(life) })
	factory := informers.NewSharedInformerFactory(k.cp.Kube, 0)
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { k.changed(life, o) },
		UpdateFunc: func(_, o any) { k.changed(life, o) },
		DeleteFunc: k.gone,
	})
	if err != nil {
		return err
	}
	factory.Start(life.Done())
	k.tasks.Go(func() { <-life.Done(); factory.Shutdown() })
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return fmt.Errorf("list pods: %w", context.Cause(ctx))
	}
	return nil
}

// Stop ends every process and forgets the pods; the API server keeps them. It
// may be called again.
func (k *Kubelet) Stop() error {
	k.cancel()
	k.tasks.Wait()
	err := k.stage.Stop()
	if k.logs != nil {
		err = errors.Join(err, k.logs.Close())
	}
	return err
}

// Refuse makes containers of an image wait from now on, as with the reason
// ImagePullBackOff; those that run go on. With the reason CrashLoopBackOff it
// holds for pods that are to be kept running: one that runs once does not loop.
// image is as pods write it.
func (k *Kubelet) Refuse(image, reason, message string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused[image] = corev1.ContainerStateWaiting{Reason: reason, Message: message}
	k.wakeAll()
}

// Accept lets containers of an image start again.
func (k *Kubelet) Accept(image string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.refused, image)
	k.wakeAll()
}

func (k *Kubelet) wakeAll() {
	for _, p := range k.pods {
		p.wake()
	}
}

// changed hands a pod of this kubelet to its goroutine.
func (k *Kubelet) changed(ctx context.Context, object any) {
	seen, ok := object.(*corev1.Pod)
	if !ok || !k.mine(seen.Spec.NodeName) || ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.pods[seen.UID]
	if p == nil {
		k.lastIP++
		p = newPod(k, fmt.Sprintf("10.88.%d.%d", k.lastIP/250, k.lastIP%250+1))
		k.pods[seen.UID] = p
		k.tasks.Go(func() { p.tend(ctx) })
	}
	p.seen = seen
	p.wake()
}

// gone ends what belongs to a pod that is no more.
func (k *Kubelet) gone(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	last, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.pods[last.UID]; p != nil {
		delete(k.pods, last.UID)
		p.removed = true
		p.wake()
	}
}

func (k *Kubelet) mine(node string) bool {
	for _, name := range k.opts.Nodes {
		if name == node {
			return true
		}
	}
	return false
}

// programs is the PATH of an image, and whether its pods are really run.
func (k *Kubelet) programs(image string) (string, bool) {
	name, _, _ := strings.Cut(image, "@")
	if at := strings.LastIndex(name, ":"); at > strings.LastIndex(name, "/") {
		name = name[:at]
	}
	path, ok := k.opts.Images[name]
	return path, ok
}
