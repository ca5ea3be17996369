from django.urls import path

from api import views

urlpatterns = [path("reports/<int:pk>/", views.report, name="report"), path("health/", views.health)]
