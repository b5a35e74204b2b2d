package operator

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Finalizer is ours on brews: the washing-up is noted before one goes.
const Finalizer = "tea.example.org/washing-up"

// Reconciler keeps a ConfigMap, the recipe, for every Brew.
type Reconciler struct{ client.Client }

// SetupWithManager starts it with a manager.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).For(&Brew{}).Owns(&corev1.ConfigMap{}).Complete(r)
}

// Reconcile brings one brew's recipe and status up to date.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	brew := &Brew{}
	if err := r.Get(ctx, request.NamespacedName, brew); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !brew.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.washUp(ctx, brew)
	}
	if controllerutil.AddFinalizer(brew, Finalizer) {
		return ctrl.Result{}, r.Update(ctx, brew)
	}
	recipe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: brew.Namespace, Name: brew.Name + "-recipe"}}
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, recipe, func() error {
		recipe.Data = map[string]string{
			"leaf": brew.Spec.Leaf, "cups": strconv.Itoa(int(brew.Spec.Cups)), "minutes": strconv.Itoa(int(brew.Spec.Minutes)),
		}
		return controllerutil.SetControllerReference(brew, recipe, r.Scheme())
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	before := brew.DeepCopy()
	brew.Status.ObservedGeneration = brew.Generation
	meta.SetStatusCondition(&brew.Status.Conditions, metav1.Condition{
		Type: "Ready", Status: metav1.ConditionTrue, Reason: "Steeped", ObservedGeneration: brew.Generation,
		Message: fmt.Sprintf("%d cups of %s", brew.Spec.Cups, brew.Spec.Leaf),
	})
	return ctrl.Result{}, r.Status().Patch(ctx, brew, client.MergeFrom(before))
}

func (r *Reconciler) washUp(ctx context.Context, brew *Brew) error {
	if !controllerutil.ContainsFinalizer(brew, Finalizer) {
		return nil
	}
	note := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: brew.Namespace, Name: "washed-up"}}
	_, err := controllerutil.CreateOrPatch(ctx, r.Client, note, func() error {
		if note.Data == nil {
			note.Data = map[string]string{}
		}
		note.Data[brew.Name] = "clean"
		return nil
	})
	if err != nil {
		return err
	}
	patch := client.MergeFromWithOptions(brew.DeepCopy(), client.MergeFromWithOptimisticLock{})
	controllerutil.RemoveFinalizer(brew, Finalizer)
	return r.Patch(ctx, brew, patch)
}

func key(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}
