from django.urls import path

from crm import views

urlpatterns = [
    path("invoices/<int:number>/", views.invoice, name="crm-invoice"),
    path("health/", views.health, name="crm-health"),
]
