! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The drivers with their options and outcome in one record.
module fits
    use kinds, only: wp, eps
    use drivers, only: lmder, lmdif, residual_function, residual_jacobian_function
    implicit none (type, external)
    private
    public :: fit_with_jacobian, fit_by_differences

    !> What a driver is asked for.
    type, public :: fit_options
        real(wp) :: ftol = sqrt(eps)
        real(wp) :: xtol = sqrt(eps)
        real(wp) :: gtol = 0.0_wp
        integer :: maxfev = 10000
        real(wp) :: epsfcn = 0.0_wp
        integer :: mode = 1
        real(wp) :: factor = 100.0_wp
        integer :: nprint = 0
        integer :: padding = 0                  !! rows of fjac beyond m
    end type fit_options

    !> What a driver leaves. All of it is set to values no fit has before the driver is called.
    type, public :: fit_outcome
        real(wp), allocatable :: x(:)           !! solution (n)
        real(wp), allocatable :: fvec(:)        !! residuals (m)
        real(wp), allocatable :: fjac(:, :)     !! R in the upper triangle (m + padding, n)
        real(wp), allocatable :: diag(:)        !! scaling (n)
        real(wp), allocatable :: qtf(:)         !! first n entries of Qᵀ f (n)
        integer, allocatable :: ipvt(:)         !! pivots (n)
        integer :: info, nfev, njev
    end type fit_outcome

    real(wp), parameter, public :: untouched = -huge(1.0_wp)    !! what arrays hold before the call

contains

    !> Run `lmder`.
    recursive function fit_with_jacobian(fcn, m, start, options, diag) result(fit)
        procedure(residual_jacobian_function) :: fcn        !! residuals and Jacobian
        integer, intent(in) :: m                            !! number of residuals
        real(wp), intent(in) :: start(:)                    !! starting point
        type(fit_options), intent(in) :: options
        real(wp), intent(in), optional :: diag(:)           !! scaling, for mode 2
        type(fit_outcome) :: fit

        real(wp) :: work(size(start), 3), work_m(max(m, 0))

        fit = blank(m, start, options, diag)
        call lmder(fcn, m, size(start), fit%x, fit%fvec, fit%fjac, m + options%padding, options%ftol, options%xtol, &
                   options%gtol, options%maxfev, fit%diag, options%mode, options%factor, options%nprint, fit%info, &
                   fit%nfev, fit%njev, fit%ipvt, fit%qtf, work(:, 1), work(:, 2), work(:, 3), work_m)
    end function fit_with_jacobian

    !> Run `lmdif`.
    recursive function fit_by_differences(fcn, m, start, options, diag) result(fit)
        procedure(residual_function) :: fcn                 !! residuals
        integer, intent(in) :: m                            !! number of residuals
        real(wp), intent(in) :: start(:)                    !! starting point
        type(fit_options), intent(in) :: options
        real(wp), intent(in), optional :: diag(:)           !! scaling, for mode 2
        type(fit_outcome) :: fit

        real(wp) :: work(size(start), 3), work_m(max(m, 0))

        fit = blank(m, start, options, diag)
        call lmdif(fcn, m, size(start), fit%x, fit%fvec, options%ftol, options%xtol, options%gtol, options%maxfev, &
                   options%epsfcn, fit%diag, options%mode, options%factor, options%nprint, fit%info, fit%nfev, &
                   fit%fjac, m + options%padding, fit%ipvt, fit%qtf, work(:, 1), work(:, 2), work(:, 3), work_m)
    end function fit_by_differences

    pure function blank(m, start, options, diag) result(fit)
        integer, intent(in) :: m
        real(wp), intent(in) :: start(:)
        type(fit_options), intent(in) :: options
        real(wp), intent(in), optional :: diag(:)
        type(fit_outcome) :: fit

        integer :: n

        n = size(start)
        allocate (fit%x(n), fit%fvec(m), fit%fjac(max(m + options%padding, 0), n), fit%diag(n), fit%qtf(n), fit%ipvt(n))
        fit%x = start
        fit%fvec = untouched
        fit%fjac = untouched
        fit%diag = untouched
        if (present(diag)) fit%diag = diag
        fit%qtf = untouched
        fit%ipvt = 0
        fit%info = -huge(1)
        fit%nfev = -1
        fit%njev = -1
    end function blank

end module fits
