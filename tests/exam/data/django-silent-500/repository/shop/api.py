from django.http import JsonResponse
from django.urls import path

from shop.store import load


def basket(request, number):
    return JsonResponse({"items": load(number)})


def vouchers(request):
    return JsonResponse({"vouchers": load(0)})


urlpatterns = [path("baskets/<int:number>/", basket), path("vouchers/", vouchers)]
