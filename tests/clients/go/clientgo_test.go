// Package clients holds programs of our own on the libraries that controllers are written with. They know nothing of
// the server that they are run against: KUBECONFIG names it. What passes on the real one has to pass on ours.
package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	applyapps "k8s.io/client-go/applyconfigurations/apps/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/pager"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
)

const patience = 20 * time.Second

func config(t *testing.T) *rest.Config {
	t.Helper()
	found, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatalf("KUBECONFIG names no server: %v", err)
	}
	found.QPS, found.Burst = 500, 500
	return found
}

func typed(t *testing.T) *kubernetes.Clientset {
	t.Helper()
	return kubernetes.NewForConfigOrDie(config(t))
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func namespace(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	made, err := client.CoreV1().Namespaces().Create(within(t),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "clients-"}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		_ = client.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{})
	})
	return made.Name
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

func deployment(name string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "web", Image: "example.org/web:1", Ports: []corev1.ContainerPort{{ContainerPort: 80}},
				}}},
			},
		},
	}
}

// The typed client sends protobuf; what the server fills in has to be what controllers rely on.
func TestTypedObjectsAreDefaultedUpdatedAndDeleted(t *testing.T) {
	client, ctx := typed(t), within(t)
	deployments := client.AppsV1().Deployments(namespace(t, client))
	made, err := deployments.Create(ctx, deployment("web"), metav1.CreateOptions{})
	must(t, err)
	container := made.Spec.Template.Spec.Containers[0]
	if *made.Spec.Replicas != 1 || made.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType ||
		made.Spec.Strategy.RollingUpdate.MaxSurge.String() != "25%" || *made.Spec.RevisionHistoryLimit != 10 ||
		container.ImagePullPolicy != corev1.PullIfNotPresent || container.Ports[0].Protocol != corev1.ProtocolTCP ||
		made.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyAlways || made.Generation != 1 {
		t.Errorf("not defaulted: %+v", made.Spec)
	}
	stale := made.DeepCopy()
	made.Spec.Replicas = new(int32)
	changed, err := deployments.Update(ctx, made, metav1.UpdateOptions{})
	must(t, err)
	if changed.Generation != 2 || *changed.Spec.Replicas != 0 {
		t.Errorf("generation %d, replicas %d", changed.Generation, *changed.Spec.Replicas)
	}
	stale.Labels["late"] = "yes"
	if _, err = deployments.Update(ctx, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("a stale update gave %v", err)
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := deployments.Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		found.Status.ObservedGeneration = found.Generation
		found.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "Pretended", Message: "for a test",
		}}
		_, err = deployments.UpdateStatus(ctx, found, metav1.UpdateOptions{})
		return err
	})
	must(t, err)
	scale, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
	must(t, err)
	scale.Spec.Replicas = 3
	_, err = deployments.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{})
	must(t, err)
	found, err := deployments.Get(ctx, "web", metav1.GetOptions{})
	must(t, err)
	if *found.Spec.Replicas != 3 || len(found.Status.Conditions) != 1 {
		t.Errorf("scale or status was lost: %+v %+v", found.Spec.Replicas, found.Status)
	}
	uid := types.UID("not-this-one")
	err = deployments.Delete(ctx, "web", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if !apierrors.IsConflict(err) {
		t.Errorf("another uid gave %v", err)
	}
	background := metav1.DeletePropagationBackground
	must(t, deployments.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &background}))
	if _, err = deployments.Get(ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after the deletion: %v", err)
	}
}

func TestRefusalsAreTypedErrors(t *testing.T) {
	client, ctx := typed(t), within(t)
	maps := client.CoreV1().ConfigMaps(namespace(t, client))
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "one"}}
	_, err := maps.Create(ctx, object, metav1.CreateOptions{})
	must(t, err)
	if _, err = maps.Create(ctx, object, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("a second one gave %v", err)
	}
	wrong := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "Not A Name"}}
	_, err = maps.Create(ctx, wrong, metav1.CreateOptions{})
	var status *apierrors.StatusError
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) || len(status.ErrStatus.Details.Causes) == 0 ||
		status.ErrStatus.Details.Causes[0].Field != "metadata.name" {
		t.Errorf("a wrong name gave %v", err)
	}
	as := config(t)
	as.Impersonate = rest.ImpersonationConfig{UserName: "nobody"}
	_, err = kubernetes.NewForConfigOrDie(as).CoreV1().Secrets("default").List(ctx, metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a stranger got %v", err)
	}
}

func TestPatchesOfThreeTypes(t *testing.T) {
	client, ctx := typed(t), within(t)
	deployments := client.AppsV1().Deployments(namespace(t, client))
	_, err := deployments.Create(ctx, deployment("web"), metav1.CreateOptions{})
	must(t, err)
	strategic := `{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"example.org/side:1"}]}}}}`
	found, err := deployments.Patch(ctx, "web", types.StrategicMergePatchType, []byte(strategic), metav1.PatchOptions{})
	must(t, err)
	if len(found.Spec.Template.Spec.Containers) != 2 {
		t.Errorf("merged to %+v", found.Spec.Template.Spec.Containers)
	}
	found, err = deployments.Patch(ctx, "web", types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"app":null,"tier":"front"}}}`), metav1.PatchOptions{})
	must(t, err)
	if _, has := found.Labels["app"]; has || found.Labels["tier"] != "front" {
		t.Errorf("labels are %v", found.Labels)
	}
	found, err = deployments.Patch(ctx, "web", types.JSONPatchType,
		[]byte(`[{"op":"test","path":"/spec/replicas","value":1},{"op":"replace","path":"/spec/replicas","value":4}]`),
		metav1.PatchOptions{})
	must(t, err)
	if *found.Spec.Replicas != 4 {
		t.Errorf("replicas are %d", *found.Spec.Replicas)
	}
}

func TestServerSideApplyMovesOwnership(t *testing.T) {
	client, ctx := typed(t), within(t)
	space := namespace(t, client)
	wanted := applyapps.Deployment("web", space).WithSpec(applyapps.DeploymentSpec().
		WithReplicas(2).
		WithSelector(applymeta.LabelSelector().WithMatchLabels(map[string]string{"app": "web"})).
		WithTemplate(applycore.PodTemplateSpec().
			WithLabels(map[string]string{"app": "web"}).
			WithSpec(applycore.PodSpec().WithContainers(
				applycore.Container().WithName("web").WithImage("example.org/web:1")))))
	deployments := client.AppsV1().Deployments(space)
	_, err := deployments.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "one"})
	must(t, err)
	mine := applyapps.Deployment("web", space).WithSpec(applyapps.DeploymentSpec().WithReplicas(5))
	_, err = deployments.Apply(ctx, mine, metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) || !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict) {
		t.Fatalf("the other owner gave %v", err)
	}
	_, err = deployments.Apply(ctx, mine, metav1.ApplyOptions{FieldManager: "two", Force: true})
	must(t, err)
	found, err := deployments.Get(ctx, "web", metav1.GetOptions{})
	must(t, err)
	extracted, err := applyapps.ExtractDeployment(found, "two")
	must(t, err)
	if extracted.Spec == nil || *extracted.Spec.Replicas != 5 || extracted.Spec.Template != nil {
		t.Errorf("the second manager owns %+v", extracted.Spec)
	}
	if first, err := applyapps.ExtractDeployment(found, "one"); err != nil || first.Spec.Replicas != nil {
		t.Errorf("the first manager still owns %+v (%v)", first.Spec, err)
	}
}

func TestAnInformerSeesEveryChange(t *testing.T) {
	client, ctx := typed(t), within(t)
	space := namespace(t, client)
	maps := client.CoreV1().ConfigMaps(space)
	for number := range 5 {
		_, err := maps.Create(ctx, numbered(number), metav1.CreateOptions{})
		must(t, err)
	}
	var added, updated, deleted atomic.Int32
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(space),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = "of=numbers" }))
	informer := factory.Core().V1().ConfigMaps()
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { added.Add(1) },
		UpdateFunc: func(any, any) { updated.Add(1) },
		DeleteFunc: func(any) { deleted.Add(1) },
	})
	must(t, err)
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			t.Fatalf("%v did not sync", kind)
		}
	}
	eventually(t, "five are known", func() bool { return added.Load() == 5 })
	changed := numbered(1)
	changed.Data = map[string]string{"changed": "yes"}
	_, err = maps.Update(ctx, changed, metav1.UpdateOptions{})
	must(t, err)
	// What stops matching the selector is gone for who watches with it.
	_, err = maps.Patch(ctx, "n2", types.MergePatchType, []byte(`{"metadata":{"labels":{"of":"others"}}}`), metav1.PatchOptions{})
	must(t, err)
	must(t, maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "number in (3, 4)"}))
	eventually(t, "one update, three deletions", func() bool { return updated.Load() == 1 && deleted.Load() == 3 })
	left, err := informer.Lister().ConfigMaps(space).List(labels.Everything())
	must(t, err)
	if len(left) != 2 {
		t.Errorf("%d are left", len(left))
	}
}

func numbered(number int) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("n%d", number), Labels: map[string]string{"of": "numbers", "number": fmt.Sprint(number)},
	}}
}

func TestARetryWatcherGoesOnWhereItWas(t *testing.T) {
	client, ctx := typed(t), within(t)
	maps := client.CoreV1().ConfigMaps(namespace(t, client))
	start, err := maps.List(ctx, metav1.ListOptions{})
	must(t, err)
	// The server ends each watch after a second at most; the watcher must not lose what falls between two.
	one := int64(1)
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, start.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.TimeoutSeconds = &one
			options.LabelSelector = "of=numbers" // a new namespace also gets kube-root-ca.crt, sooner or later
			return maps.Watch(ctx, options)
		},
	})
	must(t, err)
	defer watcher.Stop()
	for number := range 3 {
		_, err = maps.Create(ctx, numbered(number), metav1.CreateOptions{})
		must(t, err)
		select {
		case event := <-watcher.ResultChan():
			object, is := event.Object.(*corev1.ConfigMap)
			if event.Type != watch.Added || !is || object.Name != fmt.Sprintf("n%d", number) {
				t.Fatalf("event %d was %v %v", number, event.Type, event.Object)
			}
		case <-ctx.Done():
			t.Fatalf("event %d did not come", number)
		}
		time.Sleep(700 * time.Millisecond) // lets a watch end in between: what this test is about
	}
}

func TestWaitingForACondition(t *testing.T) {
	client, ctx := typed(t), within(t)
	space := namespace(t, client)
	go func() {
		_, _ = client.CoreV1().ConfigMaps(space).Create(ctx, numbered(7), metav1.CreateOptions{})
	}()
	source := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "configmaps", space, nil)
	source = cache.NewFilteredListWatchFromClient(client.CoreV1().RESTClient(), "configmaps", space,
		func(options *metav1.ListOptions) { options.FieldSelector = "metadata.name=n7" })
	event, err := watchtools.UntilWithSync(ctx, source, &corev1.ConfigMap{}, nil, func(event watch.Event) (bool, error) {
		return event.Type == watch.Added, nil
	})
	must(t, err)
	if event.Object.(*corev1.ConfigMap).Name != "n7" {
		t.Errorf("came %v", event.Object)
	}
}

func TestPagesOfOneList(t *testing.T) {
	client, ctx := typed(t), within(t)
	maps := client.CoreV1().ConfigMaps(namespace(t, client))
	for number := range 23 {
		_, err := maps.Create(ctx, numbered(number), metav1.CreateOptions{})
		must(t, err)
	}
	revisions := map[string]bool{}
	pages := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (object, error) {
		options.LabelSelector = "of=numbers"
		page, err := maps.List(ctx, options)
		if err == nil {
			revisions[page.ResourceVersion] = true
		}
		return page, err
	}))
	pages.PageSize = 5
	count := 0
	must(t, pages.EachListItem(ctx, metav1.ListOptions{}, func(object) error { count++; return nil }))
	if count != 23 || len(revisions) != 1 {
		t.Errorf("%d objects at revisions %v", count, revisions)
	}
}

func TestOneOfTwoCandidatesLeads(t *testing.T) {
	client, ctx := typed(t), within(t)
	space := namespace(t, client)
	leading := make(chan string, 4)
	elect := func(name string) context.CancelFunc {
		ctx, cancel := context.WithCancel(ctx)
		lock := &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: space, Name: "leader"}, Client: client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		}
		go leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true,
			LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { leading <- name },
				OnStoppedLeading: func() {},
			},
		})
		return cancel
	}
	resign := elect("first")
	if now := <-leading; now != "first" {
		t.Fatalf("%s leads", now)
	}
	defer elect("second")()
	lease, err := client.CoordinationV1().Leases(space).Get(ctx, "leader", metav1.GetOptions{})
	must(t, err)
	if holder := held(lease); holder != "first" {
		t.Errorf("%s holds the lease", holder)
	}
	resign()
	select {
	case now := <-leading:
		if now != "second" {
			t.Errorf("%s leads", now)
		}
	case <-ctx.Done():
		t.Error("nobody took over")
	}
}

func held(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func TestDiscoveryAndDynamicKinds(t *testing.T) {
	client, ctx := typed(t), within(t)
	space := namespace(t, client)
	found := discovery.NewDiscoveryClientForConfigOrDie(config(t))
	groups, resources, err := found.ServerGroupsAndResources()
	must(t, err)
	if len(groups) < 10 || len(resources) < 10 {
		t.Errorf("%d groups, %d lists", len(groups), len(resources))
	}
	document, err := found.OpenAPISchema() // gnostic protobuf
	must(t, err)
	if len(document.Definitions.AdditionalProperties) < 100 {
		t.Errorf("%d definitions", len(document.Definitions.AdditionalProperties))
	}
	paths, err := found.OpenAPIV3().Paths()
	must(t, err)
	if _, has := paths["apis/apps/v1"]; !has {
		t.Errorf("OpenAPI v3 knows no apps/v1 among %d", len(paths))
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"})
	must(t, err)
	objects := dynamic.NewForConfigOrDie(config(t))
	informer := dynamicinformer.NewFilteredDynamicSharedInformerFactory(objects, 0, space, nil)
	lister := informer.ForResource(mapping.Resource)
	one := intstr.FromInt32(1)
	budget := &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: metav1.ObjectMeta{Name: "one"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &one},
	}
	made, err := objects.Resource(mapping.Resource).Namespace(space).Create(ctx, untyped(t, budget), metav1.CreateOptions{})
	must(t, err)
	value, is, err := unstructured.NestedInt64(made.Object, "spec", "minAvailable")
	if value != 1 || !is || err != nil {
		t.Errorf("spec is %v", made.Object["spec"])
	}
	informer.Start(ctx.Done())
	informer.WaitForCacheSync(ctx.Done())
	if _, err = lister.Lister().ByNamespace(space).Get("one"); err != nil {
		t.Error(err)
	}
}

func TestATokenOfAServiceAccountIsThatAccount(t *testing.T) {
	client, ctx := typed(t), within(t)
	space := namespace(t, client)
	_, err := client.CoreV1().ServiceAccounts(space).Create(ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}, metav1.CreateOptions{})
	must(t, err)
	_, err = client.RbacV1().Roles(space).Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = client.RbacV1().RoleBindings(space).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "robot", Namespace: space}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
	}, metav1.CreateOptions{})
	must(t, err)
	given, err := client.CoreV1().ServiceAccounts(space).CreateToken(ctx, "robot", tokenRequest(), metav1.CreateOptions{})
	must(t, err)
	robot := rest.AnonymousClientConfig(config(t))
	robot.BearerToken = given.Status.Token
	as := kubernetes.NewForConfigOrDie(robot)
	eventually(t, "the binding counts", func() bool {
		_, err = as.CoreV1().ConfigMaps(space).List(ctx, metav1.ListOptions{})
		return err == nil
	})
	if _, err = as.CoreV1().Secrets(space).List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("secrets gave %v", err)
	}
}
