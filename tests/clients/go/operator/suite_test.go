package operator

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

const patience = 20 * time.Second

var (
	direct   client.Client // without a cache
	cached   client.Client // the manager's
	config   *rest.Config
	kit      *envtest.Environment
	warnings noted
)

// TestMain is what kubebuilder writes for every project, without its test framework.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	log.SetLogger(zap.New(zap.WriteTo(os.Stderr), zap.UseDevMode(true)))
	check(AddToScheme(scheme.Scheme))
	kit = &envtest.Environment{
		CRDDirectoryPaths:     []string{"config/crd"},
		ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{"config/webhook"}},
	}
	began := time.Now()
	var err error
	config, err = kit.Start()
	check(err)
	defer func() { check(kit.Stop()) }()
	fmt.Printf("envtest was ready in %.2f s\n", time.Since(began).Seconds())
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	hooks := kit.WebhookInstallOptions
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme.Scheme,
		Metrics:                 metrics.Options{BindAddress: "0"},
		LeaderElection:          true,
		LeaderElectionID:        "tea.example.org",
		LeaderElectionNamespace: "default",
		Cache:                   cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: {}}},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: hooks.LocalServingHost, Port: hooks.LocalServingPort, CertDir: hooks.LocalServingCertDir,
		}),
	})
	check(err)
	check((&Reconciler{manager.GetClient()}).SetupWithManager(manager))
	check((&Webhooks{}).SetupWithManager(manager))
	running.Go(func() { check(manager.Start(ctx)) })
	cached = manager.GetClient()
	heard := rest.CopyConfig(config)
	heard.WarningHandler = &warnings
	direct, err = client.New(heard, client.Options{Scheme: scheme.Scheme})
	check(err)
	<-manager.Elected()
	check(wait(func() bool { return manager.GetWebhookServer().StartedChecker()(nil) == nil }))
	return m.Run()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// noted keeps the warnings that came with answers.
type noted struct {
	mutex sync.Mutex
	texts []string
}

func (n *noted) HandleWarningHeader(_ int, _ string, text string) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.texts = append(n.texts, text)
}

func (n *noted) has(text string) bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return strings.Contains(strings.Join(n.texts, "\n"), text)
}

func wait(is func() bool) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if is() {
			return nil
		}
	}
	return fmt.Errorf("not within %s", patience)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func namespace(t *testing.T) string {
	t.Helper()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "tea-"}}
	must(t, direct.Create(t.Context(), made))
	return made.Name
}

func order(namespace, name, leaf string) *Brew {
	return &Brew{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: BrewSpec{Leaf: leaf}}
}

func TestABrewIsSteepedChangedAndWashedUp(t *testing.T) {
	ctx, space := t.Context(), namespace(t)
	brew := order(space, "morning", "assam")
	must(t, direct.Create(ctx, brew))
	if brew.Spec.Minutes != 4 || brew.Spec.Cups != 1 {
		t.Errorf("webhook and schema filled in %+v", brew.Spec)
	}
	found := &Brew{}
	isReady := func(generation int64) func() bool {
		return func() bool {
			err := cached.Get(ctx, key(space, "morning"), found)
			return err == nil && found.Status.ObservedGeneration == generation &&
				meta.IsStatusConditionTrue(found.Status.Conditions, "Ready")
		}
	}
	must(t, wait(isReady(1)))
	recipe := &corev1.ConfigMap{}
	must(t, direct.Get(ctx, key(space, "morning-recipe"), recipe))
	if !metav1.IsControlledBy(recipe, found) || recipe.Data["leaf"] != "assam" || recipe.Data["minutes"] != "4" {
		t.Errorf("the recipe is %+v", recipe)
	}
	result, err := controllerutil.CreateOrUpdate(ctx, direct, brew, func() error { brew.Spec.Cups = 3; return nil })
	must(t, err)
	if result != controllerutil.OperationResultUpdated {
		t.Errorf("it was %s", result)
	}
	must(t, wait(isReady(2)))
	must(t, direct.Get(ctx, key(space, "morning-recipe"), recipe))
	if recipe.Data["cups"] != "3" {
		t.Errorf("the recipe is for %s cups", recipe.Data["cups"])
	}
	// A lost recipe is written again: the watch on what we own wakes the reconciler.
	uid := recipe.UID
	must(t, direct.Delete(ctx, recipe))
	must(t, wait(func() bool {
		return direct.Get(ctx, key(space, "morning-recipe"), recipe) == nil && recipe.UID != uid
	}))
	must(t, direct.Delete(ctx, found))
	must(t, wait(func() bool {
		return apierrors.IsNotFound(direct.Get(ctx, key(space, "morning"), found))
	}))
	note := &corev1.ConfigMap{}
	must(t, direct.Get(ctx, key(space, "washed-up"), note))
	if note.Data["morning"] != "clean" {
		t.Errorf("noted was %v", note.Data)
	}
}

func TestWebhooksRefuseAndWarn(t *testing.T) {
	ctx, space := t.Context(), namespace(t)
	err := direct.Create(ctx, order(space, "wrong", "coffee"))
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "coffee is no tea") {
		t.Errorf("coffee gave %v", err)
	}
	if !strings.Contains(err.Error(), `admission webhook "validate.tea.example.org" denied the request`) {
		t.Errorf("the refusal does not name its webhook: %v", err)
	}
	bitter := order(space, "bitter", "assam")
	bitter.Spec.Minutes = 30
	must(t, direct.Create(ctx, bitter))
	if !warnings.has("it will be bitter") {
		t.Errorf("heard %v", warnings.texts)
	}
	changed := bitter.DeepCopy()
	changed.Spec.Leaf = "sencha"
	if err = direct.Patch(ctx, changed, client.MergeFrom(bitter)); !apierrors.IsForbidden(err) {
		t.Errorf("another leaf gave %v", err)
	}
}

func TestTheSchemaRefusesBeforeTheWebhookIsAsked(t *testing.T) {
	err := direct.Create(t.Context(), order(namespace(t), "empty", ""))
	if !apierrors.IsInvalid(err) {
		t.Errorf("no leaf gave %v", err)
	}
}

func TestAnotherUserOfTheKitHasTheRightsOfTheirRoles(t *testing.T) {
	user, err := kit.AddUser(envtest.User{Name: "guest", Groups: []string{"guests"}}, nil)
	must(t, err)
	guest, err := client.New(user.Config(), client.Options{Scheme: scheme.Scheme})
	must(t, err)
	if err = guest.List(t.Context(), &BrewList{}); !apierrors.IsForbidden(err) {
		t.Errorf("a guest got %v", err)
	}
}

func TestDryRunAndApplyThroughTheClient(t *testing.T) {
	ctx, space := t.Context(), namespace(t)
	must(t, direct.Create(ctx, order(space, "maybe", "assam"), client.DryRunAll))
	if err := direct.Get(ctx, key(space, "maybe"), &Brew{}); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run left %v", err)
	}
	wanted := order(space, "applied", "assam")
	wanted.TypeMeta = metav1.TypeMeta{APIVersion: GroupVersion.String(), Kind: "Brew"}
	must(t, direct.Patch(ctx, wanted, client.Apply, client.FieldOwner("suite"))) //nolint:staticcheck // older programs do
	list := &BrewList{}
	must(t, direct.List(ctx, list, client.InNamespace(space)))
	if len(list.Items) != 1 || list.Items[0].ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("listed %+v", list.Items)
	}
}
