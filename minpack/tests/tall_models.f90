! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Two models on data that can have any number of points.
module tall_models
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: decay, decay_jacobian, decay_with_jacobian, wave, wave_with_jacobian

    real(wp), allocatable, public :: y(:)           !! the data
    integer, public :: copies = 1                   !! how often each point of the decay counts
    real(wp), parameter, public :: two_pi = 2.0_wp*acos(-1.0_wp)

contains

    !> Residuals of x1 exp(-x2 t) + x3 at equidistant t in (0, 1], each weighted for its copies.
    pure function decay_residuals(x) result(f)
        real(wp), intent(in) :: x(:)
        real(wp) :: f(size(y))

        integer :: i

        f = sqrt(real(copies, wp))*([(x(1)*exp(-x(2)*i/size(y)) + x(3), i=1, size(y))] - y)
    end function decay_residuals

    pure function decay_jacobian(x) result(jac)
        real(wp), intent(in) :: x(:)
        real(wp) :: jac(size(y), 3)

        real(wp) :: t
        integer :: i

        do i = 1, size(y)
            t = real(i, wp)/size(y)
            jac(i, :) = sqrt(real(copies, wp))*[exp(-x(2)*t), -x(1)*t*exp(-x(2)*t), 1.0_wp]
        end do
    end function decay_jacobian

    !> The decay as it is when m is the number of points, and with every point repeated when it is larger.
    subroutine decay(m, n, x, fvec, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        integer, intent(inout) :: iflag

        real(wp) :: f(size(y))
        integer :: i

        f = decay_residuals(x)
        fvec = [(f(modulo(i - 1, size(y)) + 1), i=1, m)]
    end subroutine decay

    subroutine decay_with_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        real(wp) :: jac(size(y), 3)
        integer :: i

        if (iflag == 1) call decay(m, n, x, fvec, iflag)
        if (iflag == 2) then
            jac = decay_jacobian(x)
            do i = 1, m
                fjac(i, :) = jac(modulo(i - 1, size(y)) + 1, :)
            end do
        end if
    end subroutine decay_with_jacobian

    !> Residuals of one period of a cosine and a sine.
    subroutine wave(m, n, x, fvec, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        integer, intent(inout) :: iflag

        integer :: i

        do i = 1, m
            fvec(i) = x(1)*cos(two_pi*i/m) + x(2)*sin(two_pi*i/m) - y(i)
        end do
    end subroutine wave

    subroutine wave_with_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        integer :: i

        if (iflag == 1) call wave(m, n, x, fvec, iflag)
        if (iflag == 2) then
            do i = 1, m
                fjac(i, :) = [cos(two_pi*i/m), sin(two_pi*i/m)]
            end do
        end if
    end subroutine wave_with_jacobian

end module tall_models
