#!/bin/sh
exec ./maas-appliance install --media .
