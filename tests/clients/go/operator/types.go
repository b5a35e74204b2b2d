// Package operator is a small operator in the style of a third party's: one kind, one reconciler, two webhooks, a
// suite on envtest. It is written for any Kubernetes API server; nothing in it knows which one answers.
package operator

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/scheme"
)

// GroupVersion is that of the operator's kinds.
var GroupVersion = schema.GroupVersion{Group: "tea.example.org", Version: "v1"}

// AddToScheme lets a client speak of brews.
var AddToScheme = (&scheme.Builder{GroupVersion: GroupVersion}).Register(&Brew{}, &BrewList{}).AddToScheme

// Brew is an order of tea.
type Brew struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   BrewSpec   `json:"spec"`
	Status BrewStatus `json:"status,omitempty"`
}

// BrewSpec is what is wanted. Minutes is filled in by the webhook where it is absent.
type BrewSpec struct {
	Leaf    string `json:"leaf"`
	Cups    int32  `json:"cups,omitempty"`
	Minutes int32  `json:"minutes,omitempty"`
}

// BrewStatus is what is.
type BrewStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// BrewList is several of them.
type BrewList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Brew `json:"items"`
}

// DeepCopyObject gives a copy that shares nothing.
func (in *Brew) DeepCopyObject() runtime.Object { return in.DeepCopy() }

// DeepCopy gives a copy that shares nothing.
func (in *Brew) DeepCopy() *Brew {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Status.Conditions = append([]metav1.Condition(nil), in.Status.Conditions...)
	return &out
}

// DeepCopyObject gives a copy that shares nothing.
func (in *BrewList) DeepCopyObject() runtime.Object {
	out := *in
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]Brew, len(in.Items))
	for number := range in.Items {
		out.Items[number] = *in.Items[number].DeepCopy()
	}
	return &out
}
