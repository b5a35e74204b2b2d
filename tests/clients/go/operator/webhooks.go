package operator

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Webhooks fills in how long tea steeps and refuses what is no tea.
type Webhooks struct{}

// SetupWithManager serves them with a manager.
func (w *Webhooks) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(manager, &Brew{}).WithDefaulter(w).WithValidator(w).Complete()
}

// Default fills in what the order leaves open.
func (*Webhooks) Default(_ context.Context, brew *Brew) error {
	if brew.Spec.Minutes == 0 {
		brew.Spec.Minutes = 4
	}
	return nil
}

// ValidateCreate looks at a new order.
func (*Webhooks) ValidateCreate(_ context.Context, brew *Brew) (admission.Warnings, error) {
	return judge(brew)
}

// ValidateUpdate looks at a changed order.
func (*Webhooks) ValidateUpdate(_ context.Context, before, brew *Brew) (admission.Warnings, error) {
	if before.Spec.Leaf != brew.Spec.Leaf {
		return nil, fmt.Errorf("the leaf of %s is in the pot already", brew.Name)
	}
	return judge(brew)
}

// ValidateDelete lets everything go.
func (*Webhooks) ValidateDelete(context.Context, *Brew) (admission.Warnings, error) { return nil, nil }

func judge(brew *Brew) (admission.Warnings, error) {
	if brew.Spec.Leaf == "coffee" {
		return nil, fmt.Errorf("coffee is no tea")
	}
	if brew.Spec.Minutes > 10 {
		return admission.Warnings{"it will be bitter"}, nil
	}
	return nil, nil
}
